//! The rows and cells that `kubectl get` shows: which columns a kind has, and what stands in them.
//!
//! Paths are parsed once, when the kind is registered; a row is one walk over its object. Ages are worked out
//! here and not by the client, as Kubernetes has it.

mod age;
mod event;
mod path;

use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;
use serde_json::{Value, json};

use path::JsonPath;

/// The columns of one kind.
pub(crate) struct Columns {
    /// `columnDefinitions`, ready to be sent.
    definitions: String,
    cells: Cells,
}

enum Cells {
    /// The name, then one cell a path.
    Paths(Vec<PathCell>),
    /// What an Event says takes several of its fields a cell.
    Event,
}

struct PathCell {
    path: JsonPath,
    cell_type: CellType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellType {
    Text,
    Integer,
    Number,
    Boolean,
    /// A time, shown as the age it has now.
    Date,
    /// A time, shown as it is.
    Moment,
}

const NAME: &str = "Name must be unique within a namespace. Is required when creating resources, although some \
                    resources may allow a client to request the generation of an appropriate name automatically. \
                    Name is primarily intended for creation idempotence and configuration definition. Cannot be \
                    updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const CREATED: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. \
                       It is not guaranteed to be set in happens-before order across separate operations. Clients \
                       may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by \
                       the system. Read-only. Null for lists. More info: \
                       https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

impl Columns {
    /// The columns of a definition; without any, objects show their age. The error names the path.
    pub(crate) fn of_definition(columns: &[CustomResourceColumnDefinition]) -> Result<Self, String> {
        let mut definitions = vec![name_definition(0)];
        let mut cells = Vec::new();
        for column in columns {
            let path_text = &column.json_path;
            let described = || format!("Custom resource definition column (in JSONPath format): {path_text}");
            definitions.push(json!({
                "name": column.name, "type": column.type_, "format": column.format.clone().unwrap_or_default(),
                "description": column.description.clone().filter(|text| !text.is_empty()).unwrap_or_else(described),
                "priority": column.priority.unwrap_or(0),
            }));
            cells.push(PathCell {
                path: JsonPath::parse(path_text).map_err(|why| format!("column {path_text}: {why}"))?,
                cell_type: CellType::parse(&column.type_),
            });
        }
        if columns.is_empty() {
            definitions.push(definition("Age", "date", CREATED, 0));
            cells.push(created(CellType::Date));
        }
        Ok(Self {
            definitions: Value::from(definitions).to_string(),
            cells: Cells::Paths(cells),
        })
    }

    pub(crate) fn of_namespaces() -> Self {
        let definitions = json!([
            name_definition(0),
            definition("Status", "string", "The status of the namespace", 0),
            definition("Age", "string", CREATED, 0),
        ]);
        let status = PathCell {
            path: JsonPath::fields(&["status", "phase"]),
            cell_type: CellType::Text,
        };
        Self {
            definitions: definitions.to_string(),
            cells: Cells::Paths(vec![status, created(CellType::Date)]),
        }
    }

    /// What every kind's `Scale` shows.
    pub(crate) fn of_scales() -> Self {
        let definitions = json!([
            name_definition(0),
            definition("Desired", "integer", "Number of desired replicas", 0),
            definition("Available", "integer", "Number of actual replicas", 0),
            definition("Age", "date", CREATED, 0),
        ]);
        let number = |part: &str| PathCell {
            path: JsonPath::fields(&[part, "replicas"]),
            cell_type: CellType::Integer,
        };
        Self {
            definitions: definitions.to_string(),
            cells: Cells::Paths(vec![number("spec"), number("status"), created(CellType::Date)]),
        }
    }

    /// Definitions show when they were made, not how long ago.
    pub(crate) fn of_definitions() -> Self {
        let definitions = json!([name_definition(0), definition("Created At", "date", CREATED, 0)]);
        Self {
            definitions: definitions.to_string(),
            cells: Cells::Paths(vec![created(CellType::Moment)]),
        }
    }

    pub(crate) fn of_events() -> Self {
        Self {
            definitions: event::definitions(&name_definition(1)).to_string(),
            cells: Cells::Event,
        }
    }

    /// `columnDefinitions` as JSON.
    pub(crate) fn definitions(&self) -> &str {
        &self.definitions
    }

    /// `cells` of one object as JSON.
    pub(crate) fn cells(&self, object: &Value, now: Timestamp) -> String {
        let cells = match &self.cells {
            Cells::Event => event::cells(object, now),
            Cells::Paths(cells) => {
                let name = object.pointer("/metadata/name").and_then(Value::as_str);
                let rest = cells.iter().map(|cell| cell.of(object, now));
                std::iter::once(name.unwrap_or_default().into())
                    .chain(rest)
                    .collect()
            }
        };
        Value::Array(cells).to_string()
    }
}

fn name_definition(priority: i32) -> Value {
    let mut definition = definition("Name", "string", NAME, priority);
    if let Value::Object(definition) = &mut definition {
        definition.insert("format".into(), "name".into());
    }
    definition
}

fn definition(name: &str, cell_type: &str, description: &str, priority: i32) -> Value {
    json!({"name": name, "type": cell_type, "format": "", "description": description, "priority": priority})
}

fn created(cell_type: CellType) -> PathCell {
    PathCell {
        path: JsonPath::fields(&["metadata", "creationTimestamp"]),
        cell_type,
    }
}

impl CellType {
    fn parse(name: &str) -> Self {
        match name {
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            _ => Self::Text,
        }
    }
}

impl PathCell {
    /// A value of another type than its column says is no value.
    fn of(&self, object: &Value, now: Timestamp) -> Value {
        let Some(value) = self.path.first(object).filter(|value| !value.is_null()) else {
            return Value::Null;
        };
        match (self.cell_type, value) {
            (CellType::Text, Value::String(_))
            | (CellType::Number, Value::Number(_))
            | (CellType::Boolean, Value::Bool(_))
            | (CellType::Moment, _) => value.clone(),
            (CellType::Text, other) => other.to_string().into(),
            (CellType::Integer, Value::Number(number)) => whole(number),
            (CellType::Date, Value::String(time)) => age::since_text(time, now).into(),
            _ => Value::Null,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the cell shows whole numbers")]
fn whole(number: &serde_json::Number) -> Value {
    match (number.as_i64(), number.as_f64()) {
        (Some(number), _) => number.into(),
        (None, Some(number)) => (number.trunc() as i64).into(),
        (None, None) => Value::Null,
    }
}
