use serde_json::json;

use super::*;
use crate::{registry::Form, schema::Schema};

fn resource() -> Resource {
    let text = json!({"type": "string"});
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {
            "a": text, "b": text,
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": text},
            "order": {"type": "array", "items": text},
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                      "items": {"type": "object", "properties": {"name": text, "value": text}}},
        }},
        "status": {"type": "object", "properties": {"phase": text}},
    }});
    let mut resource = crate::builtin::namespaces();
    resource.schema = Schema::compile_root(&schema).unwrap();
    resource.form = Form::Custom;
    resource
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

fn applied_by(
    manager: &str,
    force: bool,
    live: &Object,
    spec: impl Into<Value>,
) -> Result<Object, StatusError> {
    let writer = Writer {
        manager,
        subresource: "",
        now: "2026-01-01T00:00:00Z",
    };
    apply(
        &resource(),
        live,
        true,
        &object(json!({"metadata": {"name": "x"}, "spec": spec.into()})),
        &writer,
        force,
    )
}

fn empty() -> Object {
    object(json!({"metadata": {"name": "x"}}))
}

#[test]
fn the_field_set_is_written_as_kubernetes_writes_it() {
    let live = applied_by(
        "m",
        false,
        &empty(),
        json!({"a": "1", "tags": ["t"], "ports": [{"name": "p", "value": "v"}], "order": ["z"]}),
    )
    .unwrap();
    assert_eq!(
        live.meta_list("managedFields")[0]["fieldsV1"],
        json!({"f:spec": {
            "f:a": {}, "f:order": {}, "f:tags": {"v:\"t\"": {}},
            "f:ports": {"k:{\"name\":\"p\"}": {".": {}, "f:name": {}, "f:value": {}}},
        }})
    );
}

#[test]
fn what_a_manager_no_longer_names_goes_unless_another_names_it() {
    let live = applied_by(
        "one",
        false,
        &empty(),
        json!({"a": "1", "b": "2", "tags": ["x", "y"]}),
    )
    .unwrap();
    let live = applied_by("two", false, &live, json!({"b": "2", "tags": ["y"]})).unwrap();
    let live = applied_by("one", false, &live, json!({})).unwrap();
    assert_eq!(live.fields["spec"], json!({"b": "2", "tags": ["y"]}));
    let live = applied_by("two", false, &live, json!({})).unwrap();
    assert_eq!(live.fields["spec"], json!({}));
}

#[test]
fn an_item_of_a_list_map_is_merged_and_removed_by_its_key() {
    let both = json!({"ports": [{"name": "p", "value": "1"}, {"name": "q", "value": "2"}]});
    let live = applied_by("one", false, &empty(), both).unwrap();
    let live = applied_by(
        "two",
        false,
        &live,
        json!({"ports": [{"name": "r", "value": "3"}]}),
    )
    .unwrap();
    let live = applied_by(
        "one",
        false,
        &live,
        json!({"ports": [{"name": "q", "value": "9"}]}),
    )
    .unwrap();
    assert_eq!(
        live.fields["spec"]["ports"],
        json!([{"name": "q", "value": "9"}, {"name": "r", "value": "3"}])
    );
}

#[test]
fn a_field_of_another_manager_is_a_conflict_unless_the_value_is_the_same() {
    let live = applied_by("one", false, &empty(), json!({"a": "1", "b": "1"})).unwrap();
    let error = applied_by("two", false, &live, json!({"a": "2", "b": "1"})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"one\": .spec.a"
    );
    let live = applied_by("two", true, &live, json!({"a": "2"})).unwrap();
    assert_eq!(live.fields["spec"], json!({"a": "2", "b": "1"}));
    let owners: Vec<&Value> = live
        .meta_list("managedFields")
        .iter()
        .map(|m| &m["fieldsV1"])
        .collect();
    assert_eq!(
        owners,
        [&json!({"f:spec": {"f:b": {}}}), &json!({"f:spec": {"f:a": {}}})]
    );
}

#[test]
fn an_apply_that_changes_nothing_keeps_its_time() {
    let live = applied_by("one", false, &empty(), json!({"a": "1"})).unwrap();
    let later = Writer {
        manager: "one",
        subresource: "",
        now: "2027-01-01T00:00:00Z",
    };
    let again = apply(
        &resource(),
        &live,
        true,
        &object(json!({"spec": {"a": "1"}})),
        &later,
        false,
    )
    .unwrap();
    assert_eq!(again, live);
}

#[test]
fn status_is_owned_only_through_its_own_path() {
    let document = object(json!({"spec": {"a": "1"}, "status": {"phase": "Ready"}}));
    let main = Writer {
        manager: "one",
        subresource: "",
        now: "t",
    };
    let mut live = apply(&resource(), &empty(), true, &document, &main, false).unwrap();
    assert_eq!(
        live.meta_list("managedFields")[0]["fieldsV1"],
        json!({"f:spec": {"f:a": {}}})
    );
    // Admission puts back what is not written on this path.
    live.fields.remove("status");
    let status = Writer {
        subresource: "status",
        ..main
    };
    let live = apply(&resource(), &live, true, &document, &status, false).unwrap();
    assert_eq!(live.fields["status"], json!({"phase": "Ready"}));
    assert_eq!(live.meta_list("managedFields")[1]["subresource"], json!("status"));
}

#[test]
fn applied_items_keep_the_order_they_were_applied_in() {
    let tags = |live: &Object| live.fields["spec"]["tags"].clone();
    let live = applied_by("one", false, &empty(), json!({"tags": ["a", "b", "c"]})).unwrap();
    let live = applied_by("two", false, &live, json!({"tags": ["c", "x", "a"]})).unwrap();
    assert_eq!(tags(&live), json!(["b", "c", "x", "a"]));
    let live = applied_by("three", false, &live, json!({"tags": ["y", "b"]})).unwrap();
    assert_eq!(tags(&live), json!(["y", "b", "c", "x", "a"]));
}

#[test]
fn an_owner_that_is_gone_is_nobodys_field() {
    let owned = json!({"metadata": {"name": "x", "ownerReferences": [{"uid": "u"}, {"uid": "v"}]}});
    let writer = Writer {
        manager: "one",
        subresource: "",
        now: "t",
    };
    let mut live = track(&resource(), None, object(owned), &writer);
    for (uid, left) in [("u", true), ("v", false)] {
        live.remove_owner(uid);
        forget_owner(&mut live, uid);
        assert_eq!(!live.meta_list("managedFields").is_empty(), left);
    }
}
