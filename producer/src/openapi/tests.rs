//! Is the document whole? References, examples, names, parameters.

use std::collections::BTreeSet;

use super::*;
use crate::routes::{Needs, routes};

/// A schema of the document, able to follow its references.
fn compiled(schema: &Value, whole: &Value) -> jsonschema::Validator {
    let schema = json!({ "allOf": [schema], "components": whole["components"] });
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, methods)| methods.as_object().expect("methods").iter().map(move |(method, it)| (format!("{method} {path}"), it)))
        .collect()
}

fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
    visit(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Object(members) => members.values().for_each(|member| walk(member, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn it_lists_every_route_and_nothing_else() {
    let document = document();
    let told: BTreeSet<String> = operations(&document).into_iter().map(|(name, _)| name).collect();
    let there: BTreeSet<String> = routes().iter().map(|it| format!("{} {}", it.method.as_str().to_ascii_lowercase(), it.path)).collect();
    assert_eq!(told, there);
}

#[test]
fn every_reference_leads_somewhere_and_every_shape_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    walk(&document, &mut |value| {
        if let Some(path) = value["$ref"].as_str() {
            assert!(document.pointer(path.trim_start_matches('#')).is_some(), "{path} leads nowhere");
            used.insert(path.rsplit('/').next().expect("a name").to_owned());
        }
    });
    for (name, shape) in document["components"]["schemas"].as_object().expect("schemas") {
        assert!(used.contains(name), "nothing has the shape {name}");
        assert_eq!(shape["title"], name.as_str());
        compiled(shape, &document);
    }
}

#[test]
fn every_example_is_what_it_is_an_example_of() {
    let document = document();
    let mut examples = 0;
    let mut check = |place: &str, holder: &Value| {
        let example = holder.get("example").unwrap_or_else(|| panic!("{place} has no example: {holder}"));
        let validator = compiled(&holder["schema"], &document);
        let faults: Vec<String> = validator.iter_errors(example).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{place}: {faults:?}");
        examples += 1;
    };
    for (name, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        parameters.for_each(|parameter| check(&name, parameter));
        let contents = operation["requestBody"]["content"].as_object().into_iter().flatten();
        contents.for_each(|(_, content)| check(&name, content));
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let contents = response["content"].as_object().into_iter().flatten();
            contents.filter(|(kind, _)| *kind != PROBLEM).for_each(|(_, content)| check(&format!("{name} {status}"), content));
        }
    }
    check("Problem", &document["components"]["responses"]["Problem"]["content"][PROBLEM]);
    assert!(examples > 80, "{examples}");
}

#[test]
fn operations_have_names_of_their_own_and_the_parameters_of_their_path() {
    let document = document();
    let mut names = BTreeSet::new();
    for (place, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("a name");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && names.insert(name), "{name}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty() && !text.ends_with('.')), "{place}");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let mut given = BTreeSet::new();
        for parameter in &parameters {
            let name = parameter["name"].as_str().expect("a name").to_owned();
            assert!(given.insert((parameter["in"].to_string(), name.clone())), "{place}: {name} twice");
            if parameter["in"] == "path" {
                assert!(place.contains(&format!("{{{name}}}")), "{place}: {name}");
            }
        }
        let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
        assert_eq!(in_path, place.matches('{').count(), "{place}");
    }
}

/// Who needs a key can be refused for it, and whose input is read can be refused for that.
#[test]
fn every_operation_tells_how_it_can_be_refused() {
    for (route, operation) in described() {
        let refusals = operation.refusals(route.needs);
        assert_eq!(refusals.contains_key(&401), route.needs != Needs::Nothing, "{}", route.path);
        assert_eq!(refusals.contains_key(&403), matches!(route.needs, Needs::Scope(_)), "{}", route.path);
        assert_eq!(refusals.contains_key(&404), route.path.contains('{'), "{}", route.path);
        assert_eq!(refusals.contains_key(&422), route.needs != Needs::Nothing, "{}: a parameter that nobody knows", route.path);
        for answer in &operation.answers {
            assert!(!refusals.contains_key(&answer.status), "{}: {} means two things", route.path, answer.status);
        }
    }
}
