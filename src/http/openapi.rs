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
        (name = "observation", description = "Changes, audit, statistics"),
        (name = "registrants", description = "Enterprises: apply, review, suspend, close"),
        (name = "prefixes", description = "Prefixes: apply, review, quotas, suspend, close"),
        (name = "transfers", description = "Prefixes and identifiers to another registrant"),
        (name = "codes", description = "Regions and industries by name or code"),
        (name = "grants", description = "Who sees and edits what is not everybody's"),
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
    use std::collections::BTreeSet;

    use serde_json::Value as Json;

    fn document() -> Json {
        serde_json::from_str(&crate::http::description()).unwrap()
    }

    /// Every operation of the document with its method and path.
    fn operations(document: &Json) -> Vec<(String, &Json)> {
        let paths = document["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            let methods = methods.filter(|(method, _)| METHODS.contains(&method.as_str()));
            methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
        });
        operations.collect()
    }

    /// The schema that a reference leads to, or the schema itself.
    fn followed<'a>(document: &'a Json, schema: &'a Json) -> &'a Json {
        match schema["$ref"].as_str() {
            Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
            None => schema,
        }
    }

    fn has_example(document: &Json, content: &Json) -> bool {
        let schema = followed(document, &content["schema"]);
        let choices = schema["oneOf"].as_array().into_iter().flatten();
        let mut choices = choices.map(|choice| followed(document, choice));
        !content["example"].is_null()
            || !schema["example"].is_null()
            || choices.any(|choice| !choice["example"].is_null())
    }

    /// What an operation leaves out.
    fn left_out(document: &Json, operation: &Json) -> Vec<&'static str> {
        let said = |member: &str| operation[member].as_str().is_some_and(|text| !text.is_empty());
        let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
        let bodies = operation["requestBody"]["content"].as_object();
        let checks = [
            ("operationId", said("operationId")),
            ("summary", said("summary")),
            ("description", said("description")),
            ("tag", operation["tags"][0].is_string()),
            ("default", problem["schema"]["$ref"] == "#/components/schemas/Problem"),
            ("security", operation["security"].is_array()),
            ("example", bodies.is_none_or(|all| all.values().all(|it| has_example(document, it)))),
        ];
        checks.into_iter().filter(|(_, there)| !there).map(|(member, _)| member).collect()
    }

    fn references<'a>(json: &'a Json, found: &mut BTreeSet<&'a str>) {
        match json {
            Json::Object(members) => {
                found.extend(members.get("$ref").and_then(Json::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Json::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    /// Every JSON body and answer shows what it looks like, itself, in a member that is a list of
    /// such, or member by member.
    #[test]
    fn bodies_and_answers_have_examples() {
        let document = document();
        let mut seen = 0;
        for (place, operation) in operations(&document) {
            let answers = operation["responses"].as_object().into_iter().flatten();
            let bodies = answers.map(|(_, answer)| answer).chain([&operation["requestBody"]]);
            for content in bodies.filter_map(|body| body["content"].get("application/json")) {
                let shown = content.get("example").or(content.get("examples")).is_some();
                assert!(shown || shows(&document, &content["schema"]), "{place}: {content}");
                seen += 1;
            }
        }
        assert!(seen > 80, "{seen}");
    }

    /// Whether somebody who reads the schema sees what its content looks like.
    fn shows(document: &Json, schema: &Json) -> bool {
        let schema = followed(document, schema);
        // What follows a standard of its own needs none here.
        let free = schema.as_object().is_none_or(|members| !members.contains_key("type"))
            && schema.get("oneOf").is_none();
        let mut members = schema["properties"].as_object().into_iter().flatten();
        let mut choices = schema["oneOf"].as_array().into_iter().flatten();
        free || schema.get("example").is_some()
            || schema.get("examples").is_some()
            || schema.get("items").is_some_and(|items| shows(document, items))
            || choices.any(|choice| choice["type"] != "null" && shows(document, choice))
            || members.any(|(_, member)| member["type"] != "boolean" && shows(document, member))
    }

    #[test]
    fn the_description_is_the_one_in_schemas() {
        crate::snapshot::compare("schemas/openapi.json", &crate::http::description());
    }

    #[test]
    fn every_operation_is_described_in_full() {
        let document = document();
        let operations = operations(&document);
        assert!(operations.len() > 50, "{}", operations.len());
        let mut names = BTreeSet::new();
        let tags: Vec<&Json> =
            document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
        for (place, operation) in operations {
            let missing = left_out(&document, operation);
            assert!(missing.is_empty(), "{place} leaves out {missing:?}");
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{place}: {name} is another operation's too");
            assert!(tags.contains(&&operation["tags"][0]), "{place}: the tag is not described");
        }
        let unique: BTreeSet<&str> = tags.iter().map(|tag| tag.as_str().unwrap()).collect();
        assert_eq!(unique.len(), tags.len(), "a tag is described twice");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let place = reference.trim_start_matches('#');
            assert!(document.pointer(place).is_some(), "{reference}");
        }
    }

    #[test]
    fn gaps_are_noticed() {
        let document = document();
        let bare = serde_json::json!({"requestBody": {"content": {"application/json": {}}}});
        assert_eq!(left_out(&document, &bare).len(), 7);
    }

    const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];
}
