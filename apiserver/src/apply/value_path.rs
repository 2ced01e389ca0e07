//! One step from a value into its part, as `fieldsV1` writes it: `f:name`, `k:{"name":"a"}`, `v:"x"`.

use std::fmt;

use serde_json::{Map, Value};

use crate::schema::{ListType, Schema};

/// One step; the text is the key in `fieldsV1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step(pub(crate) String);

impl Step {
    pub(crate) fn field(name: &str) -> Self {
        Self(format!("f:{name}"))
    }

    /// The step to an item of a list that merges; `None` where the list is one value.
    pub(crate) fn item(list: &ListType, item: &Value) -> Option<Self> {
        match list {
            ListType::Atomic => None,
            ListType::Set => Some(Self(format!("v:{item}"))),
            ListType::Map(keys) => {
                let of_key = |key: &String| Some((key.clone(), item.get(key)?.clone()));
                let keys: Map<String, Value> = keys.iter().filter_map(of_key).collect();
                Some(Self(format!("k:{}", Value::Object(keys))))
            }
        }
    }

    /// The step to an item of a list that is one value.
    pub(crate) fn position_of(position: usize) -> Self {
        Self(format!("i:{position}"))
    }

    /// `[name="a"]`: the step as messages write it.
    pub(crate) fn shown(&self) -> String {
        FieldPath(vec![self.clone()]).to_string()
    }

    /// The position of the item this step names.
    pub(crate) fn position(&self, schema: Option<&Schema>, items: &[Value]) -> Option<usize> {
        let list = &schema?.list_type;
        items
            .iter()
            .position(|item| Self::item(list, item).as_ref() == Some(self))
    }

    /// The schema of what this step leads to.
    pub(crate) fn schema<'a>(&self, schema: Option<&'a Schema>) -> Option<&'a Schema> {
        match self.0.strip_prefix("f:") {
            Some(name) => schema?.field(name),
            None => schema?.items.as_deref(),
        }
    }
}

/// Steps from the root to a field, written as `.spec.list[name="a"].x`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FieldPath(pub(crate) Vec<Step>);

impl FieldPath {
    pub(crate) fn with(&self, step: &Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.clone());
        Self(steps)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step(step) in &self.0 {
            match step.split_at_checked(2) {
                Some(("f:", name)) => write!(f, ".{name}")?,
                Some(("k:", keys)) => {
                    let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
                    let keys: Vec<String> =
                        keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
                    write!(f, "[{}]", keys.join(","))?;
                }
                Some(("i:", position)) => write!(f, "[{position}]")?,
                Some((_, value)) => write!(f, "[={value}]")?,
                None => write!(f, "[{step}]")?,
            }
        }
        Ok(())
    }
}
