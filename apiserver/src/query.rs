//! The parameters of a request: which ones count, and what is refused about them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::status_error::{Cause, StatusError};

/// The query string. Unknown parameters are ignored, as Kubernetes does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

/// What to do about fields the schema does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// Drop them.
    Ignore,
    /// Drop them and say so in a Warning header.
    Warn,
    /// Refuse the request.
    Strict,
}

/// How a write is to be done.
#[derive(Debug, Clone)]
pub(crate) struct WriteOptions {
    /// Check everything, change nothing.
    pub(crate) dry_run: bool,
    /// What to do about unknown fields.
    pub(crate) field_validation: FieldValidation,
    /// Who writes, as the request says; may be empty.
    pub(crate) field_manager: String,
    /// Take over fields that other managers applied.
    pub(crate) force: bool,
}

const MAX_MANAGER: usize = 128;

impl Query {
    /// kube writes `?&limit=500`: empty pairs are passed over. Of several values the first counts.
    pub(crate) fn parse(text: &str) -> Self {
        let mut values = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()).into_owned() {
            values.entry(name).or_insert(value);
        }
        Self(values)
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Anything but `false` and `0` is true, also nothing: `?watch`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0
            .get(name)
            .is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
    }

    /// `None` when absent or empty.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, StatusError> {
        match self.text(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                StatusError::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
            }),
        }
    }

    /// `resourceVersion`; the refusal is only its reason, since verbs word it differently.
    pub(crate) fn version(&self) -> Result<Option<i64>, String> {
        match self.text("resourceVersion") {
            "" => Ok(None),
            text => match text.parse::<i64>() {
                Ok(version) if version >= 0 => Ok(Some(version)),
                _ => Err(format!(
                    "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
                )),
            },
        }
    }

    /// The options of a write; `kind` is `CreateOptions`, `UpdateOptions` or `PatchOptions`.
    pub(crate) fn write_options(&self, kind: &str) -> Result<WriteOptions, StatusError> {
        let mut causes = Vec::new();
        let dry_run = dry_run(self.text("dryRun"), &mut causes);
        let validation = self.text("fieldValidation");
        let field_validation = match validation {
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            _ => FieldValidation::Warn,
        };
        let field_manager = self.text("fieldManager").to_owned();
        if field_manager.len() > MAX_MANAGER {
            causes.push(Cause::too_long("fieldManager", MAX_MANAGER as u64));
        }
        if field_manager.chars().any(char::is_control) {
            let message =
                format!("Invalid value: {field_manager:?}: should only contain printable characters");
            causes.push(Cause::invalid("fieldManager", message));
        }
        if !matches!(validation, "" | "Ignore" | "Warn" | "Strict") {
            let supported = ["", "Ignore", "Strict", "Warn"];
            causes.push(Cause::not_supported(
                "fieldValidation",
                &validation.into(),
                &supported,
            ));
        }
        if !causes.is_empty() {
            return Err(StatusError::invalid_options(kind, &causes));
        }
        Ok(WriteOptions {
            dry_run,
            field_validation,
            field_manager,
            force: self.flag("force"),
        })
    }
}

/// Whether a write is to change nothing.
pub(crate) fn dry_run(text: &str, causes: &mut Vec<Cause>) -> bool {
    if !matches!(text, "" | "All") {
        let value = Value::Array(vec![text.into()]);
        causes.push(Cause::not_supported("dryRun", &value, &["All"]));
    }
    text == "All"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_ampersand_is_no_parameter() {
        let query = Query::parse("&limit=500&labelSelector=a%3Db");
        assert_eq!(query.text("limit"), "500");
        assert_eq!(query.text("labelSelector"), "a=b");
    }

    #[test]
    fn a_flag_without_a_value_is_set() {
        let query = Query::parse("watch&a=false&b=0&c=1");
        let flags: Vec<bool> = ["watch", "a", "b", "c", "d"]
            .map(|name| query.flag(name))
            .to_vec();
        assert_eq!(flags, [true, false, false, true, false]);
    }

    #[test]
    fn a_bad_option_is_refused_by_name() {
        let error = Query::parse("fieldValidation=Loose")
            .write_options("CreateOptions")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"Loose\": \
             supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
        );
        assert!(Query::parse("resourceVersion=x").version().is_err());
        assert_eq!(Query::parse("").version(), Ok(None));
    }
}
