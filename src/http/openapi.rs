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
        (name = "resolution", description = "Where identifiers lead"),
        (name = "templates", description = "What records of a kind carry"),
        (name = "observation", description = "Changes, audit, statistics"),
        (name = "registrants", description = "Enterprises: apply, review, suspend, close"),
        (name = "prefixes", description = "Prefixes: apply, review, quotas, suspend, close"),
        (name = "transfers", description = "Prefixes and identifiers to another registrant"),
        (name = "codes", description = "Regions and industries by name or code"),
        (name = "grants", description = "Who sees and edits what is not everybody's"),
        (name = "templates", description = "What records of a kind carry"),
        (name = "administration", description = "Tokens and backups"),
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
        .description(Some("A token of this node: `npt_` and 43 characters"))
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
    #[test]
    fn the_description_is_the_one_in_schemas() {
        crate::snapshot::compare("schemas/openapi.json", &crate::http::description());
    }
}
