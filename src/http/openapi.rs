//! The head of the OpenAPI document; the rest comes from the routes.

use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::problem::KINDS;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Nameplate",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "identifiers", description = "Register, read, change and retire"),
        (name = "jobs", description = "Imports and exports of any size"),
        (name = "resolution", description = "Where identifiers lead"),
        (name = "templates", description = "What records of a kind carry"),
        (name = "administration", description = "Accounts, sessions, tokens and backups"),
        (name = "operation", description = "For those who run the node"),
    ),
    components(schemas(super::imports::SummaryDocument, super::batches::items::ItemBody)),
)]
struct Head;

/// The document without paths.
pub(super) fn head() -> OpenApi {
    let mut document = Head::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").into();
    document.info.description = Some(description());
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token or session of this node: `npt_` or `nps_` and 43 characters"))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    document
}

/// Writes wildcards of routes as the plain parameters they are in OpenAPI.
pub(super) fn finish(mut document: OpenApi) -> OpenApi {
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths =
        paths.into_iter().map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    document
}

fn description() -> String {
    let mut text = String::from(
        "A node of the industrial identifier resolution system. Records are versioned; the ETag \
         is `\"<version>.<view>\"`, and `If-Match` compares the version alone. Every change is \
         durable when it is answered.\n\nProblems are RFC 9457 documents; `type` is \
         `urn:nameplate:problem:` and one of these names, which never change:\n\n",
    );
    for kind in KINDS {
        text.push_str(&format!("- `{}` ({}): {}\n", kind.name, kind.status.as_u16(), kind.title));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    /// Every JSON body and answer shows what it looks like, itself, in a member that is a list of
    /// such, or member by member.
    #[test]
    fn bodies_and_answers_have_examples() {
        let document: Json = serde_json::from_str(&crate::http::description()).expect("JSON");
        let operations = document["paths"].as_object().expect("paths").iter();
        let operations = operations.flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").iter();
            methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
        });
        let mut seen = 0;
        for (name, operation) in operations {
            let answers = operation["responses"].as_object().into_iter().flatten();
            let bodies = answers.map(|(_, answer)| answer).chain([&operation["requestBody"]]);
            for content in bodies.filter_map(|body| body["content"].get("application/json")) {
                let shown = content.get("example").or(content.get("examples")).is_some();
                assert!(shown || has_example(&document, &content["schema"]), "{name}: {content}");
                seen += 1;
            }
        }
        assert!(seen > 80, "{seen}");
    }

    fn has_example(document: &Json, schema: &Json) -> bool {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.trim_start_matches("#/components/schemas/");
            return has_example(document, &document["components"]["schemas"][name]);
        }
        // What follows a standard of its own needs none here.
        let free = schema.as_object().is_none_or(|members| !members.contains_key("type"))
            && schema.get("oneOf").is_none();
        let mut members = schema["properties"].as_object().into_iter().flatten();
        let mut choices = schema["oneOf"].as_array().into_iter().flatten();
        free || schema.get("example").is_some()
            || schema.get("examples").is_some()
            || schema.get("items").is_some_and(|items| has_example(document, items))
            || choices.any(|choice| choice["type"] != "null" && has_example(document, choice))
            || members
                .any(|(_, member)| member["type"] != "boolean" && has_example(document, member))
    }

    #[test]
    fn the_description_is_the_one_in_schemas() {
        crate::snapshot::compare("schemas/openapi.json", &crate::http::description());
    }
}
