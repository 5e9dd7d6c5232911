//! `GET /docs`: the same document as a page for people. It loads nothing from anywhere, so it works offline.

mod operation;
mod schema;
mod text;

use std::fmt::Write as _;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};

use super::operation::{Operation, Tag};
use super::schemas;
use crate::routes::{RouteInfo, described};

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The same bytes for every request: nothing in it changes while the process lives.
static PAGE: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(page(&described())));

/// Its own style and script and nothing else: both are named by their hash, so no other text on the page can become either.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT),
    )
});

pub async fn show() -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY.as_str())], PAGE.clone()).into_response()
}

fn page(table: &[(RouteInfo, Operation)]) -> String {
    let mut html = String::with_capacity(256 * 1024);
    let version = env!("CARGO_PKG_VERSION");
    let _ = write!(
        html,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\"><title>Flotilla API</title><style>{STYLE}</style></head><body><header><h1>Flotilla <small>API \
         {version}</small></h1><input id=\"find\" type=\"search\" placeholder=\"Find a call\" aria-label=\"Find a call\"><a \
         href=\"/openapi.json\">openapi.json</a></header><div id=\"all\"><nav>"
    );
    let of = |tag: Tag| table.iter().filter(move |(_, operation)| operation.tag == tag);
    for tag in Tag::ALL {
        let _ = write!(html, "<h2>{}</h2><ul>", title(tag));
        of(tag).for_each(|row| html.push_str(&operation::link(row)));
        html.push_str("</ul>");
    }
    html.push_str("<h2>shapes</h2><ul>");
    let shapes = schemas::all();
    shapes.keys().for_each(|name| html.push_str(&schema::link(name)));
    let _ = write!(html, "</ul></nav><main><p>{}</p>{}", text::prose(super::ABOUT), operation::KEY_HINT);
    for tag in Tag::ALL {
        let _ = write!(html, "<section><h2>{}</h2><p>{}</p>", title(tag), text::prose(tag.words().1));
        of(tag).for_each(|row| html.push_str(&operation::article(row)));
        html.push_str("</section>");
    }
    html.push_str("<section><h2>shapes</h2>");
    shapes.iter().for_each(|(name, shape)| html.push_str(&schema::article(name, shape)));
    let _ = write!(html, "</section></main></div><script>{SCRIPT}</script></body></html>");
    html
}

fn title(tag: Tag) -> String {
    tag.words().0.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_and_every_shape_has_its_place() {
        let table = described();
        let page = page(&table);
        for (route, operation) in &table {
            assert!(page.contains(&format!("id=\"{}\"", operation.id)) && page.contains(route.path), "{}", route.path);
        }
        for name in schemas::all().keys() {
            assert!(page.contains(&format!("id=\"shape-{name}\"")), "{name}");
        }
        let targets = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
        for target in targets {
            assert!(page.contains(&format!("id=\"{target}\"")), "nothing is at #{target}");
        }
    }

    /// It works offline, and its policy leaves nothing to chance.
    #[test]
    fn nothing_is_loaded_and_nothing_else_may_run() {
        let page = page(&described());
        for outside in ["src=", "@import", "url(", "<link", "onclick", "style=", "javascript:"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!((page.matches("<script").count(), page.matches("<style").count()), (1, 1));
        assert!(!POLICY.contains("unsafe") && POLICY.matches("sha256-").count() == 2);
    }
}
