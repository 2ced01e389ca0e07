//! One node of a schema, in types.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Value, json};

/// A schema that cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("failed to compile the schema at {path}: {problem}")]
pub struct SchemaError {
    path: String,
    problem: String,
}

impl SchemaError {
    pub(crate) fn new(path: &str, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn json(error: &serde_json::Error) -> Self {
        Self::new("(root)", error.to_string())
    }
}

/// JSON types, under the names a schema gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

impl Type {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}

/// How a list is merged by an apply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum ListType {
    /// As a whole: one owner.
    #[default]
    Atomic,
    /// By value.
    Set,
    /// By these fields of its items.
    Map(Vec<String>),
}

/// One node; absent constraints are empty.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the flags of a schema, one to one"
)]
pub(crate) struct Schema {
    pub(crate) node_type: Option<Type>,
    pub(crate) nullable: bool,
    pub(crate) int_or_string: bool,
    pub(crate) preserve_unknown: bool,
    pub(crate) embedded: bool,
    pub(crate) properties: BTreeMap<String, Schema>,
    pub(crate) required: Vec<String>,
    /// Schema of the values of a map.
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) list_type: ListType,
    pub(crate) atomic_map: bool,
    pub(crate) default: Option<Value>,
    pub(crate) enumeration: Vec<Value>,
    pub(crate) minimum: Option<f64>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) maximum: Option<f64>,
    pub(crate) exclusive_maximum: bool,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) pattern: Option<Regex>,
    pub(crate) format: Option<String>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) unique_items: bool,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
}

impl Schema {
    /// The schema of a kind: as given, with the metadata every kind has.
    pub(crate) fn compile_root(schema: &Value) -> Result<Self, SchemaError> {
        let mut root = Self::compile(schema, "(root)")?;
        let metadata = Self::compile(&metadata_schema(), "metadata")?;
        root.properties.insert("metadata".into(), metadata);
        Ok(root)
    }

    /// The schema of a kind without one: everything is kept, lists are atomic, maps merge.
    pub(crate) fn untyped_root() -> Self {
        let metadata = Self::compile(&metadata_schema(), "metadata").unwrap_or_default();
        let properties = BTreeMap::from([("metadata".to_owned(), metadata)]);
        Self {
            node_type: Some(Type::Object),
            preserve_unknown: true,
            properties,
            ..Self::default()
        }
    }

    /// The schema of a field of an object, from its properties or as a value of a map.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or(self.additional.as_deref())
    }

    /// Whether null is no value of this type.
    pub(crate) fn refuses_null(&self) -> bool {
        !self.nullable && (self.node_type.is_some() || self.int_or_string)
    }

    /// The default of a field, if it has one.
    pub(crate) fn default_of(&self, name: &str) -> Option<&Value> {
        self.properties.get(name)?.default.as_ref()
    }

    /// The name of the type at `spec.list[0].field`; an object where the path leads nowhere.
    pub(crate) fn type_at(&self, path: &str) -> &'static str {
        let mut node = Some(self);
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            node = match step.strip_suffix(']') {
                Some(_) => node.and_then(|node| node.items.as_deref().or(node.additional.as_deref())),
                None => node.and_then(|node| node.field(step)),
            };
        }
        node.and_then(|node| node.node_type).map_or("object", Type::name)
    }

    fn compile(schema: &Value, path: &str) -> Result<Self, SchemaError> {
        let flag = |name: &str| schema.get(name).and_then(Value::as_bool).unwrap_or(false);
        let count = |name: &str| schema.get(name).and_then(Value::as_u64);
        let number = |name: &str| schema.get(name).and_then(Value::as_f64);
        let pattern = schema
            .get("pattern")
            .and_then(Value::as_str)
            .map(Regex::new)
            .transpose();
        Ok(Self {
            node_type: node_type(schema, path)?,
            nullable: flag("nullable"),
            int_or_string: flag("x-kubernetes-int-or-string"),
            preserve_unknown: flag("x-kubernetes-preserve-unknown-fields")
                || schema.get("additionalProperties") == Some(&Value::Bool(true)),
            embedded: flag("x-kubernetes-embedded-resource"),
            properties: properties(schema, path)?,
            required: strings(schema, "required"),
            additional: boxed(schema, "additionalProperties", path)?,
            items: boxed(schema, "items", path)?,
            list_type: list_type(schema, path)?,
            atomic_map: schema.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic"),
            default: schema.get("default").cloned(),
            enumeration: schema
                .get("enum")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            minimum: number("minimum"),
            exclusive_minimum: flag("exclusiveMinimum"),
            maximum: number("maximum"),
            exclusive_maximum: flag("exclusiveMaximum"),
            multiple_of: number("multipleOf"),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            pattern: pattern.map_err(|error| SchemaError::new(path, format!("pattern: {error}")))?,
            format: schema.get("format").and_then(Value::as_str).map(str::to_owned),
            min_items: count("minItems"),
            max_items: count("maxItems"),
            unique_items: flag("uniqueItems"),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
            all_of: alternatives(schema, "allOf", path)?,
            any_of: alternatives(schema, "anyOf", path)?,
            one_of: alternatives(schema, "oneOf", path)?,
            not: boxed(schema, "not", path)?,
        })
    }
}

fn node_type(schema: &Value, path: &str) -> Result<Option<Type>, SchemaError> {
    match schema.get("type").and_then(Value::as_str) {
        None | Some("") => Ok(None),
        Some(name) => Type::parse(name)
            .map(Some)
            .ok_or_else(|| SchemaError::new(path, format!("\"{name}\" is no type of a structural schema"))),
    }
}

fn properties(schema: &Value, path: &str) -> Result<BTreeMap<String, Schema>, SchemaError> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Ok(BTreeMap::new());
    };
    properties
        .iter()
        .map(|(name, property)| {
            Ok((
                name.clone(),
                Schema::compile(property, &format!("{path}.{name}"))?,
            ))
        })
        .collect()
}

fn boxed(schema: &Value, name: &str, path: &str) -> Result<Option<Box<Schema>>, SchemaError> {
    let child = schema.get(name).filter(|child| child.is_object());
    child
        .map(|child| Schema::compile(child, &format!("{path}.{name}")).map(Box::new))
        .transpose()
}

fn alternatives(schema: &Value, name: &str, path: &str) -> Result<Vec<Schema>, SchemaError> {
    let listed = schema
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    listed
        .iter()
        .map(|one| Schema::compile(one, &format!("{path}.{name}")))
        .collect()
}

fn strings(schema: &Value, name: &str) -> Vec<String> {
    let listed = schema
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    listed
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn list_type(schema: &Value, path: &str) -> Result<ListType, SchemaError> {
    let keys = strings(schema, "x-kubernetes-list-map-keys");
    match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        None | Some("atomic") => Ok(ListType::Atomic),
        Some("set") => Ok(ListType::Set),
        Some("map") if !keys.is_empty() => Ok(ListType::Map(keys)),
        Some(other) => Err(SchemaError::new(
            path,
            format!("list type \"{other}\" is unknown or lacks its keys"),
        )),
    }
}

/// What an apply and the validation need to know about metadata.
fn metadata_schema() -> Value {
    let text = json!({"type": "string"});
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
        "name": text, "namespace": text, "generateName": text, "uid": text, "resourceVersion": text,
        "labels": {"type": "object", "additionalProperties": text},
        "annotations": {"type": "object", "additionalProperties": text},
        "finalizers": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
        "ownerReferences": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
            "items": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {
                "apiVersion": text, "kind": text, "name": text, "uid": text,
                "controller": {"type": "boolean", "nullable": true},
                "blockOwnerDeletion": {"type": "boolean", "nullable": true},
            }},
        },
    }})
}
