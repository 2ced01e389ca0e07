//! The schemas of a document: kinds, their lists, and the types of `meta/v1` that both refer to.

use k8s_openapi::{
    api::{autoscaling::v1 as autoscaling, core::v1 as core, events::v1 as events},
    apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions,
    apimachinery::pkg::apis::meta::v1 as meta,
};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::group_version_kind;
use crate::registry::{Form, Resource};

const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should \
                           convert recognized schemas to the latest internal value, and may reject unrecognized \
                           values. More info: \
                           https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer \
                    this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More \
                    info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
const METADATA: &str = "Standard object's metadata. More info: \
                        https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
const LIST_METADATA: &str = "Standard list metadata. More info: \
                             https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

/// The schema of a type of Kubernetes, in one piece.
pub(crate) fn inlined<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true);
    let mut generator = SchemaGenerator::new(settings);
    Value::from(generator.subschema_for::<T>())
}

/// `components.schemas` of a document about these resources.
pub(super) fn of(resources: &[&Resource]) -> Map<String, Value> {
    let mut generator = SchemaGenerator::new(SchemaSettings::openapi3());
    generator.subschema_for::<meta::ObjectMeta>();
    generator.subschema_for::<meta::ListMeta>();
    generator.subschema_for::<meta::Status>();
    generator.subschema_for::<meta::DeleteOptions>();
    if resources.iter().any(|resource| resource.scale.is_some()) {
        generator.subschema_for::<autoscaling::Scale>();
    }
    for resource in resources {
        match resource.form {
            Form::Namespace => drop(generator.subschema_for::<core::Namespace>()),
            Form::CoreEvent => drop(generator.subschema_for::<core::Event>()),
            Form::GroupEvent => drop(generator.subschema_for::<events::Event>()),
            Form::Definition => drop(generator.subschema_for::<extensions::CustomResourceDefinition>()),
            Form::Custom => {}
        }
    }
    let mut schemas: Map<String, Value> = generator.take_definitions(true);
    schemas.insert(
        "io.k8s.apimachinery.pkg.apis.meta.v1.Patch".into(),
        json!({
            "description": "Patch is provided to give a concrete name and type to the Kubernetes PATCH request body.",
            "type": "object",
        }),
    );
    for resource in resources {
        let name = name_of(resource, &resource.kind);
        let mut schema = match resource.form {
            Form::Custom => kind(resource),
            _ => schemas.remove(&name).unwrap_or_else(|| json!({"type": "object"})),
        };
        if let Value::Object(schema) = &mut schema {
            let gvk = group_version_kind(resource, &resource.kind);
            schema.insert("x-kubernetes-group-version-kind".into(), json!([gvk]));
        }
        schemas.insert(name.clone(), schema);
        schemas.insert(name_of(resource, &resource.list_kind), list(resource, &name));
    }
    schemas
}

/// `io.test.v1.Boat`, and the names of Go packages for built-in kinds.
pub(super) fn name_of(resource: &Resource, kind: &str) -> String {
    let version = &resource.version;
    match resource.form {
        Form::Namespace | Form::CoreEvent => format!("io.k8s.api.core.{version}.{kind}"),
        Form::GroupEvent => format!("io.k8s.api.events.{version}.{kind}"),
        Form::Definition => {
            format!("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{version}.{kind}")
        }
        Form::Custom => {
            let reversed: Vec<&str> = resource.group.split('.').rev().collect();
            format!("{}.{version}.{kind}", reversed.join("."))
        }
    }
}

pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The definition's schema with what every kind has.
fn kind(resource: &Resource) -> Value {
    let mut schema = resource.open_api.clone();
    spell_out(&mut schema);
    if let Value::Object(fields) = &mut schema {
        let properties = fields
            .entry("properties")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(properties) = properties {
            properties.insert("apiVersion".into(), text(API_VERSION));
            properties.insert("kind".into(), text(KIND));
            let object_meta = reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
            properties.insert(
                "metadata".into(),
                json!({"description": METADATA, "allOf": [object_meta]}),
            );
        }
    }
    schema
}

/// Says in the words of `OpenAPI` what an extension says of a field that is a number or a text.
fn spell_out(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
                let either = json!([{"type": "integer"}, {"type": "string"}]);
                fields.entry("anyOf").or_insert(either);
            }
            fields.values_mut().for_each(spell_out);
        }
        Value::Array(items) => items.iter_mut().for_each(spell_out),
        _ => {}
    }
}

fn list(resource: &Resource, item: &str) -> Value {
    let list_meta = reference("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta");
    json!({
        "description": format!("{} is a list of {}", resource.list_kind, resource.kind),
        "type": "object", "required": ["items"],
        "properties": {
            "apiVersion": text(API_VERSION),
            "kind": text(KIND),
            "metadata": {"description": LIST_METADATA, "allOf": [list_meta]},
            "items": {
                "description": format!("List of {}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md", resource.plural),
                "type": "array", "items": reference(item),
            },
        },
        "x-kubernetes-group-version-kind": [group_version_kind(resource, &resource.list_kind)],
    })
}

fn text(description: &str) -> Value {
    json!({"description": description, "type": "string"})
}
