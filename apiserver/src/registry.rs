//! Which resources this server has: every custom resource definition it was given, and the built-in ones.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use serde_json::Value;

use crate::{
    builtin, definition,
    openapi::Documents,
    scale::ScalePaths,
    schema::{Rules, Schema, SchemaError},
    table::Columns,
};

/// Why a custom resource definition could not be served.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Conversion between versions is not built: exactly one version must be served and stored.
    #[error(
        "failed to register {crd}: it must have exactly one version, served and stored, but has {versions}"
    )]
    Versions {
        /// Name of the definition.
        crd: String,
        /// How many it has.
        versions: usize,
    },
    /// A definition without a schema would accept anything.
    #[error("failed to register {crd}: its version has no schema")]
    NoSchema {
        /// Name of the definition.
        crd: String,
    },
    /// The schema or one of its rules cannot be compiled.
    #[error("failed to register {crd}")]
    Schema {
        /// Name of the definition.
        crd: String,
        /// What is wrong, and where.
        #[source]
        source: SchemaError,
    },
    /// Two definitions claim one path.
    #[error("failed to register {key} twice")]
    Twice {
        /// `plural.group`.
        key: String,
    },
}

/// How objects of a resource differ from a plain custom resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Everything is in the definition.
    Custom,
    /// A Namespace: holds other objects, which go with it.
    Namespace,
    /// An Event of the core group, which is how events are stored.
    CoreEvent,
    /// An Event of `events.k8s.io`: the same rows under other field names.
    GroupEvent,
    /// The definition of a custom resource; part of the program, and only read.
    Definition,
}

/// One served resource in one version.
pub(crate) struct Resource {
    /// `plural.group`: the name in messages and in the store.
    pub(crate) key: String,
    /// Empty for the core group.
    pub(crate) group: String,
    /// `v1alpha1`.
    pub(crate) version: String,
    /// `Scan`.
    pub(crate) kind: String,
    /// `ScanList`.
    pub(crate) list_kind: String,
    /// `scans`.
    pub(crate) plural: String,
    /// `scan`.
    pub(crate) singular: String,
    /// `sc`.
    pub(crate) short_names: Vec<String>,
    /// `followlytics`, for `kubectl get followlytics`.
    pub(crate) categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub(crate) namespaced: bool,
    /// Whether status is written on a path of its own.
    pub(crate) has_status: bool,
    /// Where the number of replicas stands, if the kind has one.
    pub(crate) scale: Option<ScalePaths>,
    /// What may be done with it, in the order Kubernetes lists it.
    pub(crate) verbs: &'static [&'static str],
    /// What an object may hold.
    pub(crate) schema: Schema,
    /// The definition's CEL rules; `None` for built-in kinds.
    pub(crate) rules: Option<Rules>,
    /// What `kubectl get` shows.
    pub(crate) columns: Columns,
    /// The schema as published; without apiVersion, kind and metadata for a definition's.
    pub(crate) open_api: Value,
    /// The definition itself, as an object.
    pub(crate) definition: Option<Value>,
    /// What is particular about it.
    pub(crate) form: Form,
}

/// Verbs of a custom resource.
const VERBS: [&str; 8] = [
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];

impl Resource {
    /// `Scan.followlytics.io`, `Namespace`: how refusals name the kind.
    pub(crate) fn full_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.clone()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }

    /// Whether the kind comes from a definition: such objects are served as they were sent, the others as Go writes
    /// its own types.
    pub(crate) fn is_custom(&self) -> bool {
        self.form == Form::Custom
    }

    /// `followlytics.io/v1alpha1`, `v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    fn from_crd(crd: CustomResourceDefinition) -> Result<Self, RegistryError> {
        let crd_name = crd
            .metadata
            .name
            .clone()
            .unwrap_or_else(|| format!("{}.{}", crd.spec.names.plural, crd.spec.group));
        let described = definition::describe(&crd).map_err(|error| RegistryError::Schema {
            crd: crd_name.clone(),
            source: SchemaError::json(&error),
        })?;
        let mut versions = crd.spec.versions;
        let count = versions.len();
        let (1, Some(version)) = (
            count,
            versions.pop().filter(|version| version.served && version.storage),
        ) else {
            return Err(RegistryError::Versions {
                crd: crd_name,
                versions: count,
            });
        };
        let (open_api, schema, rules) = compile(&version).map_err(|source| match source {
            Some(source) => RegistryError::Schema {
                crd: crd_name.clone(),
                source,
            },
            None => RegistryError::NoSchema {
                crd: crd_name.clone(),
            },
        })?;
        let columns = version.additional_printer_columns.unwrap_or_default();
        let columns = Columns::of_definition(&columns).map_err(|problem| RegistryError::Schema {
            crd: crd_name,
            source: SchemaError::new("additionalPrinterColumns", problem),
        })?;
        let subresources = version.subresources.unwrap_or_default();
        let names = crd.spec.names;
        Ok(Self {
            key: format!("{}.{}", names.plural, crd.spec.group),
            group: crd.spec.group,
            version: version.name,
            list_kind: names.list_kind.unwrap_or_else(|| format!("{}List", names.kind)),
            singular: names.singular.unwrap_or_else(|| names.kind.to_lowercase()),
            kind: names.kind,
            plural: names.plural,
            short_names: names.short_names.unwrap_or_default(),
            categories: names.categories.unwrap_or_default(),
            namespaced: crd.spec.scope == "Namespaced",
            has_status: subresources.status.is_some(),
            scale: subresources.scale.map(ScalePaths::of),
            verbs: &VERBS,
            schema,
            rules: Some(rules),
            columns,
            open_api,
            definition: Some(described),
            form: Form::Custom,
        })
    }
}

fn compile(version: &CustomResourceDefinitionVersion) -> Result<(Value, Schema, Rules), Option<SchemaError>> {
    let schema = version
        .schema
        .as_ref()
        .and_then(|schema| schema.open_api_v3_schema.as_ref())
        .ok_or(None)?;
    let schema = serde_json::to_value(schema).map_err(|error| Some(SchemaError::json(&error)))?;
    let rules = Rules::compile(&schema)?;
    let compiled = Schema::compile_root(&schema)?;
    Ok((schema, compiled, rules))
}

/// Every resource of this server.
pub struct Registry {
    resources: BTreeMap<(String, String, String), Arc<Resource>>,
    /// Written when they are first asked for.
    documents: std::sync::OnceLock<Documents>,
}

impl Registry {
    /// Takes names, scope, schema, subresources and rules from the definitions, and adds Namespaces and Events.
    pub fn from_crds(crds: Vec<CustomResourceDefinition>) -> Result<Self, RegistryError> {
        let mut resources = BTreeMap::new();
        let custom = crds.into_iter().map(Resource::from_crd);
        let builtin = [
            builtin::namespaces(),
            builtin::core_events(),
            builtin::group_events(),
            definition::resource(),
        ];
        for resource in builtin.into_iter().map(Ok).chain(custom) {
            let resource = resource?;
            let path = (
                resource.group.clone(),
                resource.version.clone(),
                resource.plural.clone(),
            );
            let key = resource.key.clone();
            if resources.insert(path, Arc::new(resource)).is_some() {
                return Err(RegistryError::Twice { key });
            }
        }
        Ok(Self {
            resources,
            documents: std::sync::OnceLock::new(),
        })
    }

    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.resources
            .get(&(group.to_owned(), version.to_owned(), plural.to_owned()))
    }

    /// The `OpenAPI` documents of every group and version.
    pub(crate) fn documents(&self) -> &Documents {
        self.documents.get_or_init(|| Documents::of(self))
    }

    /// Every resource by group, version and plural.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }
}
