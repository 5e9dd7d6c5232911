//! What does one operation say of itself? Its words, parameters, body, answers and refusals, from which the document and the
//! page are made and to which the tests hold it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use store::Scopes;

use super::refusals::{OF_BODIES, OF_KEYS, OF_THE_STORE, meaning_of, status_of};
use super::shape::reference;
use crate::routes::{Needs, RouteInfo};

pub const JSON: &str = "application/json";
pub const PROBLEM: &str = "application/problem+json";

/// The groups of the page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tag {
    Jobs,
    Acts,
    DeadLetters,
    Fleet,
    Endpoints,
    Keys,
    Process,
}

impl Tag {
    pub const ALL: [Self; 7] = [Self::Jobs, Self::Acts, Self::DeadLetters, Self::Fleet, Self::Endpoints, Self::Keys, Self::Process];

    /// Name and sentence.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Jobs => ("jobs", "Submit jobs and look at them."),
            Self::Acts => ("acts", "What an operator does to one job, or to many."),
            Self::DeadLetters => ("dead_letters", "Jobs that failed for good, and running them again."),
            Self::Fleet => ("fleet", "Kinds, queues, workers and figures."),
            Self::Endpoints => ("webhook_endpoints", "Receivers of webhooks and the secrets that sign for them."),
            Self::Keys => ("keys", "Who may do what, and who did what."),
            Self::Process => ("process", "This process: its health, its metrics, this document."),
        }
    }
}

/// Where a parameter stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Path,
    Query,
    Header,
}

impl Place {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

pub struct Parameter {
    pub place: Place,
    pub name: &'static str,
    pub about: &'static str,
    pub schema: Value,
    pub example: Value,
}

/// One type that a body may have.
pub struct Content {
    pub media_type: &'static str,
    pub schema: Value,
    pub example: Value,
}

pub struct Body {
    pub required: bool,
    pub contents: Vec<Content>,
}

pub struct Answer {
    pub status: u16,
    pub about: &'static str,
    /// Names of `components.headers`.
    pub headers: &'static [&'static str],
    pub content: Option<Content>,
}

pub struct Operation {
    pub id: &'static str,
    pub tag: Tag,
    pub summary: &'static str,
    pub about: &'static str,
    pub parameters: Vec<Parameter>,
    pub body: Option<Body>,
    pub answers: Vec<Answer>,
    codes: Vec<&'static str>,
}

impl Operation {
    pub fn new(tag: Tag, id: &'static str, summary: &'static str) -> Self {
        let (parameters, answers, codes) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, tag, summary, about: "", parameters, body: None, answers, codes }
    }

    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    pub fn takes(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// A JSON body that must be there.
    pub fn body(self, schema: &str, example: Value) -> Self {
        self.with_body(true, Content::json(schema, example))
    }

    /// A JSON body that may be left out.
    pub fn optional_body(self, schema: &str, example: Value) -> Self {
        self.with_body(false, Content::json(schema, example))
    }

    /// One more type of body.
    pub fn with_body(mut self, required: bool, content: Content) -> Self {
        self.body.get_or_insert_with(|| Body { required, contents: Vec::new() }).contents.push(content);
        self
    }

    /// A JSON answer.
    pub fn answers(self, status: u16, about: &'static str, schema: &str, example: Value) -> Self {
        self.with_answer(Answer { status, about, headers: &[], content: Some(Content::json(schema, example)) })
    }

    pub fn with_answer(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// Headers of the latest answer.
    pub fn with_headers(mut self, headers: &'static [&'static str]) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers = headers;
        }
        self
    }

    /// Codes of its own refusals; those of keys, bodies and the store come by themselves.
    pub fn refuses(mut self, codes: &[&'static str]) -> Self {
        self.codes.extend(codes);
        self
    }

    /// Whether it reads a query string.
    pub fn takes_parameters(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter.place == Place::Query)
    }

    /// Every refusal there can be, by status.
    pub fn refusals(&self, needs: Needs) -> BTreeMap<u16, Vec<&'static str>> {
        let mut codes = self.codes.clone();
        if needs != Needs::Nothing {
            codes.extend(OF_KEYS.iter().chain(&OF_THE_STORE));
        }
        if matches!(needs, Needs::Scope(_)) {
            codes.push("forbidden");
        }
        if self.body.is_some() {
            codes.extend(OF_BODIES);
        }
        let mut by_status: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
        for code in codes {
            let of_status = by_status.entry(status_of(code)).or_default();
            if !of_status.contains(&code) {
                of_status.push(code);
            }
        }
        by_status
    }

    /// As the document has it.
    pub fn render(&self, route: &RouteInfo) -> Value {
        let mut responses: Map<String, Value> = self.answers.iter().map(|answer| (answer.status.to_string(), answer.render())).collect();
        responses.extend(self.refusals(route.needs).into_iter().map(|(status, codes)| (status.to_string(), refusal(status, &codes))));
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag.words().0],
            "summary": self.summary,
            "responses": responses,
            "security": match route.needs {
                Needs::Nothing => json!([]),
                Needs::Key | Needs::Scope(_) => json!([{ "bearer": [] }]),
            },
        });
        let about = [self.about, &scope_sentence(route.needs)].join(" ").trim().to_owned();
        if !about.is_empty() {
            operation["description"] = json!(about);
        }
        if !self.parameters.is_empty() {
            operation["parameters"] = self.parameters.iter().map(Parameter::render).collect();
        }
        if let Some(body) = &self.body {
            let contents: Map<String, Value> = body.contents.iter().map(Content::render).collect();
            operation["requestBody"] = json!({ "required": body.required, "content": contents });
        }
        operation
    }
}

/// What a caller needs, in a sentence.
pub fn scope_sentence(needs: Needs) -> String {
    match needs {
        Needs::Nothing => "Open to everybody.".to_owned(),
        Needs::Key => "Needs any valid key.".to_owned(),
        Needs::Scope(Scopes::ADMIN) => "Needs the scope `admin`.".to_owned(),
        Needs::Scope(scope) => format!("Needs the scope `{scope}` (or `admin`)."),
    }
}

fn refusal(status: u16, codes: &[&'static str]) -> Value {
    let meanings: Vec<String> = codes.iter().map(|code| format!("`{code}`: {}", meaning_of(code))).collect();
    let headers: &[&str] = match status {
        401 => &["WWW-Authenticate"],
        429 => &["Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"],
        503 => &["Retry-After"],
        _ => &[],
    };
    let mut refusal = json!({
        "description": format!("{}.", meanings.join("; ")),
        "content": { PROBLEM: { "schema": reference("Problem") } },
        "x-codes": codes,
    });
    if !headers.is_empty() {
        refusal["headers"] = header_references(headers);
    }
    refusal
}

fn header_references(names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))).collect::<Map<_, _>>().into()
}

impl Content {
    pub fn json(schema: &str, example: Value) -> Self {
        Self { media_type: JSON, schema: reference(schema), example }
    }

    fn render(&self) -> (String, Value) {
        (self.media_type.to_owned(), json!({ "schema": self.schema, "example": self.example }))
    }
}

impl Parameter {
    fn render(&self) -> Value {
        let Self { place, name, about, schema, example } = self;
        let required = *place == Place::Path;
        json!({ "name": name, "in": place.name(), "description": about, "required": required, "schema": schema, "example": example })
    }
}

impl Answer {
    fn render(&self) -> Value {
        let mut answer = json!({ "description": self.about });
        if let Some(content) = &self.content {
            let (media_type, content) = content.render();
            answer["content"] = json!({ media_type: content });
        }
        if !self.headers.is_empty() {
            answer["headers"] = header_references(self.headers);
        }
        answer
    }
}
