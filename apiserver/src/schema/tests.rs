use serde_json::{Value, json};

use super::{default::apply_defaults, prune::prune, validate::validate, *};

fn schema(schema: &Value) -> Schema {
    Schema::compile_root(schema).unwrap()
}

/// `field reason` of everything wrong.
fn wrong(node: &Value, value: &Value) -> Vec<String> {
    let root = schema(&json!({"type": "object", "properties": {"x": node}}));
    let mut causes = Vec::new();
    validate(&root, &json!({"x": value}), "", &mut causes);
    causes
        .into_iter()
        .map(|cause| format!("{} {}", cause.field, cause.reason))
        .collect()
}

#[test]
fn unknown_fields_are_found_at_every_depth_and_kept_where_anything_goes() {
    let root = schema(&json!({"type": "object", "properties": {
        "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {"type": "string"}}}},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                 "properties": {"closed": {"type": "object"}}},
        "pod": {"type": "object", "x-kubernetes-embedded-resource": true},
    }}));
    let mut value = json!({
        "list": [{"a": "1", "b": 2}], "map": {"k": {"c": 3}}, "open": {"any": {"thing": 1}, "closed": {"d": 4}},
        "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}, "e": 5,
    });
    let mut unknown = Vec::new();
    prune(&root, &mut value, "", &mut unknown);
    unknown.sort();
    assert_eq!(
        unknown,
        ["e", "list[0].b", "map.k.c", "open.closed.d", "pod.spec"]
    );
    assert_eq!(
        value,
        json!({"list": [{"a": "1"}], "map": {"k": {}}, "open": {"any": {"thing": 1}, "closed": {}},
            "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}})
    );
}

#[test]
fn defaults_reach_into_lists_maps_and_defaults_and_replace_forbidden_nulls() {
    let leaf = json!({"type": "object", "properties": {"n": {"type": "integer", "default": 1}}});
    let root = schema(&json!({"type": "object", "properties": {
        "made": {"type": "object", "default": {}, "properties": {"n": {"type": "integer", "default": 2}}},
        "list": {"type": "array", "items": leaf},
        "map": {"type": "object", "additionalProperties": leaf},
        "strict": {"type": "integer", "default": 3},
        "loose": {"type": "integer", "default": 4, "nullable": true},
    }}));
    let mut value = json!({"list": [{}], "map": {"k": {"n": 9}}, "strict": null, "loose": null});
    apply_defaults(&root, &mut value);
    assert_eq!(
        value,
        json!({"made": {"n": 2}, "list": [{"n": 1}], "map": {"k": {"n": 9}}, "strict": 3, "loose": null})
    );
}

#[test]
fn types_are_kept_to() {
    assert_eq!(
        wrong(&json!({"type": "integer"}), &json!(1.0)),
        [""; 0],
        "1.0 is an integer"
    );
    assert_eq!(
        wrong(&json!({"type": "integer"}), &json!(1.5)),
        ["x FieldValueTypeInvalid"]
    );
    assert_eq!(
        wrong(&json!({"type": "string"}), &Value::Null),
        ["x FieldValueTypeInvalid"]
    );
    assert_eq!(
        wrong(&json!({"type": "string", "nullable": true}), &Value::Null),
        [""; 0]
    );
    let either = json!({"x-kubernetes-int-or-string": true});
    assert_eq!(wrong(&either, &json!("25%")), [""; 0]);
    assert_eq!(wrong(&either, &json!(true)), ["x FieldValueTypeInvalid"]);
}

#[test]
fn limits_are_kept_to() {
    let text = json!({"type": "string", "minLength": 2, "maxLength": 3, "pattern": "^[a-z]+$"});
    assert_eq!(wrong(&text, &json!("ab")), [""; 0]);
    assert_eq!(
        wrong(&text, &json!("é")),
        ["x FieldValueInvalid"],
        "only the first is told"
    );
    assert_eq!(wrong(&text, &json!("abcd")), ["x FieldValueTooLong"]);
    let number =
        json!({"type": "integer", "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "multipleOf": 3});
    assert_eq!(wrong(&number, &json!(9)), [""; 0]);
    assert_eq!(wrong(&number, &json!(0)), ["x FieldValueInvalid"]);
    assert_eq!(
        wrong(&number, &json!(10)),
        ["x FieldValueInvalid", "x FieldValueInvalid"]
    );
    let list = json!({"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string"}});
    assert_eq!(wrong(&list, &json!([])), ["x FieldValueInvalid"]);
    assert_eq!(
        wrong(&list, &json!(["a", 1, "c"])),
        ["x FieldValueTooMany", "x[1] FieldValueTypeInvalid"]
    );
    assert_eq!(
        wrong(&json!({"type": "object", "maxProperties": 0}), &json!({"a": 1})),
        ["x FieldValueTooMany"]
    );
}

#[test]
fn formats_and_enumerations_are_kept_to() {
    for (format, good, bad) in [
        ("date-time", "2026-11-20T08:00:00Z", "yesterday"),
        ("date", "2026-11-20", "20.11.2026"),
        ("uuid", "00000000-0000-0000-0000-000000000001", "1"),
        ("ipv4", "10.0.0.1", "10.0.0"),
        ("uri", "https://followlytics.io/a", "a"),
    ] {
        let node = json!({"type": "string", "format": format});
        assert_eq!(wrong(&node, &json!(good)), [""; 0], "{format}");
        assert_eq!(wrong(&node, &json!(bad)), ["x FieldValueTypeInvalid"], "{format}");
    }
    let choice = json!({"type": "string", "enum": ["Api", "Browser"]});
    assert_eq!(wrong(&choice, &json!("Auto")), ["x FieldValueNotSupported"]);
}

#[test]
fn items_of_sets_and_maps_are_unique() {
    let set = json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}});
    assert_eq!(wrong(&set, &json!(["a", "b", "a"])), ["x[2] FieldValueDuplicate"]);
    let map = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
        "items": {"type": "object", "properties": {"k": {"type": "string"}}}});
    assert_eq!(wrong(&map, &json!([{"k": "a"}, {"k": "b"}])), [""; 0]);
    assert_eq!(
        wrong(&map, &json!([{"k": "a"}, {"k": "a"}])),
        ["x[1] FieldValueDuplicate"]
    );
}

#[test]
fn combinations_are_kept_to() {
    let required = |field: &str| json!({"required": [field]});
    let one_of = json!({"type": "object", "oneOf": [required("a"), required("b")]});
    assert_eq!(wrong(&one_of, &json!({"a": 1})), [""; 0]);
    assert_eq!(
        wrong(&one_of, &json!({"a": 1, "b": 1})),
        ["<nil> FieldValueInvalid"]
    );
    let any_of = json!({"type": "object", "anyOf": [required("a"), required("b")]});
    assert_eq!(wrong(&any_of, &json!({"a": 1, "b": 1})), [""; 0]);
    assert_eq!(wrong(&any_of, &json!({})), ["<nil> FieldValueInvalid"]);
    assert_eq!(
        wrong(&json!({"type": "object", "not": required("a")}), &json!({"a": 1})),
        ["<nil> FieldValueInvalid"]
    );
    assert_eq!(
        wrong(&json!({"type": "object", "allOf": [required("a")]}), &json!({})),
        ["x.a FieldValueRequired"]
    );
}

#[test]
fn a_schema_that_cannot_be_compiled_names_its_path() {
    let broken = json!({"type": "object", "properties": {"x": {"type": "string", "pattern": "("}}});
    assert!(
        Schema::compile_root(&broken)
            .unwrap_err()
            .to_string()
            .contains("(root).x: pattern")
    );
    let list = json!({"type": "array", "x-kubernetes-list-type": "map"});
    let keyless = json!({"type": "object", "properties": {"x": list}});
    assert!(Schema::compile_root(&keyless).is_err());
}
