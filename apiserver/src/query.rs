//! The parameters of a request: which ones count, and what is refused about them.

use std::collections::BTreeMap;

use crate::status_error::StatusError;

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
    /// Who writes; only applies keep track of it.
    pub(crate) field_manager: String,
    /// Take over fields that other managers applied.
    pub(crate) force: bool,
}

impl Query {
    /// kube writes `?&limit=500`: empty pairs are passed over.
    pub(crate) fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.text(name), "true" | "1" | "True")
    }

    /// `None` when absent or empty.
    pub(crate) fn version(&self, name: &str) -> Result<Option<i64>, StatusError> {
        match self.text(name) {
            "" => Ok(None),
            text => match text.parse::<i64>() {
                Ok(version) if version >= 0 => Ok(Some(version)),
                _ => Err(StatusError::bad_request(format!(
                    "invalid {name}: \"{text}\" is not a resource version"
                ))),
            },
        }
    }

    pub(crate) fn seconds(&self, name: &str) -> Result<Option<u64>, StatusError> {
        match self.text(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                StatusError::bad_request(format!("invalid {name}: \"{text}\" is not a number of seconds"))
            }),
        }
    }

    pub(crate) fn write_options(&self) -> Result<WriteOptions, StatusError> {
        let dry_run = match self.text("dryRun") {
            "" => false,
            "All" => true,
            other => {
                return Err(StatusError::bad_request(format!(
                    "invalid dryRun: \"{other}\" is not All"
                )));
            }
        };
        let field_validation = match self.text("fieldValidation") {
            "Ignore" => FieldValidation::Ignore,
            "" | "Warn" => FieldValidation::Warn,
            "Strict" => FieldValidation::Strict,
            other => {
                let message = format!("invalid fieldValidation: \"{other}\" is none of Ignore, Warn, Strict");
                return Err(StatusError::bad_request(message));
            }
        };
        let field_manager = self.text("fieldManager").to_owned();
        if field_manager.chars().count() > 128 {
            return Err(StatusError::bad_request(
                "invalid fieldManager: longer than 128 characters",
            ));
        }
        Ok(WriteOptions {
            dry_run,
            field_validation,
            field_manager,
            force: self.flag("force"),
        })
    }
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
    fn a_bad_option_is_refused_by_name() {
        let error = Query::parse("fieldValidation=Loose").write_options().unwrap_err();
        assert!(error.to_string().contains("fieldValidation"), "{error}");
        assert!(
            Query::parse("resourceVersion=x")
                .version("resourceVersion")
                .is_err()
        );
        assert_eq!(Query::parse("").version("resourceVersion").unwrap(), None);
    }
}
