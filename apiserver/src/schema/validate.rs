//! Checks a value against its schema, in the words Kubernetes uses.

use serde_json::Value;

use super::{ListType, Schema, Type, prune::join};
use crate::status_error::Cause;

/// Appends what is wrong with `value` to `causes`.
pub(crate) fn validate(schema: &Schema, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() {
        if !schema.nullable && (schema.node_type.is_some() || schema.int_or_string) {
            let wanted = schema.node_type.map_or("integer or string", Type::name);
            causes.push(wrong_type(path, wanted, value));
        }
        return;
    }
    if !has_type(schema, value) {
        let wanted = schema.node_type.map_or("integer,string", Type::name);
        causes.push(wrong_type(path, wanted, value));
        return;
    }
    if !schema.enumeration.is_empty() && !schema.enumeration.contains(value) {
        // Go quotes every one of them, whatever its type.
        let quoted = |one: &Value| {
            one.as_str()
                .map_or_else(|| format!("\"{one}\""), |text| format!("{text:?}"))
        };
        let supported: Vec<String> = schema.enumeration.iter().map(quoted).collect();
        let message = format!(
            "Unsupported value: {value}: supported values: {}",
            supported.join(", ")
        );
        causes.push(Cause {
            reason: "FieldValueNotSupported".into(),
            field: path.into(),
            message,
        });
    }
    match value {
        Value::String(text) => text_limits(schema, text, path, causes),
        Value::Number(_) => number_limits(schema, value, path, causes),
        Value::Array(items) => list_limits(schema, items, path, causes),
        Value::Object(_) => fields(schema, value, path, causes),
        Value::Bool(_) | Value::Null => {}
    }
    combinations(schema, value, path, causes);
}

fn invalid(path: &str, value: &Value, why: &str) -> Cause {
    Cause::invalid(path, format!("Invalid value: {value}: {path} in body {why}"))
}

fn wrong_type(path: &str, wanted: &str, value: &Value) -> Cause {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let message = format!("Invalid value: \"{found}\": {path} in body must be of type {wanted}: \"{found}\"");
    Cause {
        reason: "FieldValueTypeInvalid".into(),
        field: path.into(),
        message,
    }
}

fn has_type(schema: &Schema, value: &Value) -> bool {
    if schema.int_or_string {
        return value.is_string() || value.is_i64() || value.is_u64();
    }
    match schema.node_type {
        None => true,
        Some(Type::Object) => value.is_object(),
        Some(Type::Array) => value.is_array(),
        Some(Type::String) => value.is_string(),
        // 1.0 is an integer to Kubernetes.
        Some(Type::Integer) => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        Some(Type::Number) => value.is_number(),
        Some(Type::Boolean) => value.is_boolean(),
    }
}

fn text_limits(schema: &Schema, text: &str, path: &str, causes: &mut Vec<Cause>) {
    let value = Value::from(text);
    let length = text.chars().count() as u64;
    // Only the first of these is told.
    if let Some(limit) = schema.max_length.filter(|limit| length > *limit) {
        causes.push(Cause::too_long(path, limit));
    } else if let Some(limit) = schema.min_length.filter(|limit| length < *limit) {
        let why = format!("should be at least {limit} chars long");
        causes.push(invalid(path, &value, &why));
    } else if let Some(pattern) = schema.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        causes.push(invalid(path, &value, &format!("should match '{pattern}'")));
    }
    if let Some(format) = schema
        .format
        .as_deref()
        .filter(|format| !has_format(format, text))
    {
        causes.push(Cause {
            reason: "FieldValueTypeInvalid".into(),
            ..invalid(path, &value, &format!("must be of type {format}: {value}"))
        });
    }
}

fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "uuid" => uuid::Uuid::try_parse(text).is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "uri" => text.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some()),
        // Formats Kubernetes does not know are not checked either.
        _ => true,
    }
}

fn number_limits(schema: &Schema, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(number) = value.as_f64() else { return };
    if let Some(limit) = schema.minimum {
        if schema.exclusive_minimum && number <= limit {
            causes.push(invalid(path, value, &format!("should be greater than {limit}")));
        } else if number < limit {
            causes.push(invalid(
                path,
                value,
                &format!("should be greater than or equal to {limit}"),
            ));
        }
    }
    if let Some(limit) = schema.maximum {
        if schema.exclusive_maximum && number >= limit {
            causes.push(invalid(path, value, &format!("should be less than {limit}")));
        } else if number > limit {
            causes.push(invalid(
                path,
                value,
                &format!("should be less than or equal to {limit}"),
            ));
        }
    }
    if let Some(step) = schema
        .multiple_of
        .filter(|step| *step != 0.0 && (number / step).fract() != 0.0)
    {
        causes.push(invalid(path, value, &format!("should be a multiple of {step}")));
    }
}

fn list_limits(schema: &Schema, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let length = items.len() as u64;
    if let Some(limit) = schema.max_items.filter(|limit| length > *limit) {
        let message = format!("Too many: {length}: must have at most {limit} items");
        causes.push(Cause {
            reason: "FieldValueTooMany".into(),
            field: path.into(),
            message,
        });
    }
    if let Some(limit) = schema.min_items.filter(|limit| length < *limit) {
        causes.push(invalid(
            path,
            &Value::from(length),
            &format!("should have at least {limit} items"),
        ));
    }
    let identity = |item: &Value| match &schema.list_type {
        ListType::Set => Some(item.clone()),
        ListType::Map(keys) => {
            let key = |key: &String| Some((key.clone(), item.get(key)?.clone()));
            Some(Value::Object(keys.iter().filter_map(key).collect()))
        }
        ListType::Atomic => schema.unique_items.then(|| item.clone()),
    };
    for (position, item) in items.iter().enumerate() {
        let item_path = format!("{path}[{position}]");
        let id = identity(item);
        if id.is_some() && items.iter().take(position).any(|earlier| identity(earlier) == id) {
            let message = format!("Duplicate value: {}", id.unwrap_or_default());
            causes.push(Cause {
                reason: "FieldValueDuplicate".into(),
                field: item_path.clone(),
                message,
            });
        }
        if let Some(item_schema) = &schema.items {
            validate(item_schema, item, &item_path, causes);
        }
    }
}

fn fields(schema: &Schema, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Value::Object(fields) = value else { return };
    for name in schema.required.iter().filter(|name| !fields.contains_key(*name)) {
        causes.push(Cause::required(&join(path, name), ""));
    }
    let count = fields.len() as u64;
    if let Some(limit) = schema.max_properties.filter(|limit| count > *limit) {
        let message = format!("Too many: {count}: must have at most {limit} items");
        causes.push(Cause {
            reason: "FieldValueTooMany".into(),
            field: path.into(),
            message,
        });
    }
    if let Some(limit) = schema.min_properties.filter(|limit| count < *limit) {
        causes.push(invalid(
            path,
            value,
            &format!("should have at least {limit} properties"),
        ));
    }
    for (name, child) in fields {
        if let Some(child_schema) = schema.field(name) {
            validate(child_schema, child, &join(path, name), causes);
        }
    }
}

fn combinations(schema: &Schema, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let passes = |one: &Schema| {
        let mut found = Vec::new();
        validate(one, value, path, &mut found);
        found.is_empty()
    };
    for one in &schema.all_of {
        validate(one, value, path, causes);
    }
    // The whole object, and not the path, is what no alternative fits.
    let unfit = |why: &str| Cause::invalid("<nil>", format!("Invalid value: \"\": {path:?} must {why}"));
    if !schema.any_of.is_empty() && !schema.any_of.iter().any(passes) {
        causes.push(unfit("validate at least one schema (anyOf)"));
    }
    if !schema.one_of.is_empty() {
        match schema.one_of.iter().filter(|one| passes(one)).count() {
            1 => {}
            0 => causes.push(unfit(
                "validate one and only one schema (oneOf). Found none valid",
            )),
            found => causes.push(unfit(&format!(
                "validate one and only one schema (oneOf). Found {found} valid alternatives"
            ))),
        }
    }
    if schema.not.as_deref().is_some_and(passes) {
        causes.push(unfit("not validate the schema (not)"));
    }
}
