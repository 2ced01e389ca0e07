//! Two masked answers side by side. Uids and versions need not be the same on both servers, but whatever is one uid
//! here must be one uid there, and what is newer here must be newer there.

use std::{collections::BTreeMap, sync::LazyLock};

use regex::Regex;
use serde_json::Value;

static UID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap());
static AGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\d+[smh](\d+s)?$").unwrap());

/// Where two answers part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    /// JSON pointer into the answer.
    pub(crate) pointer: String,
    /// `None` where the real server has nothing.
    pub(crate) real: Option<Value>,
    /// `None` where the embedded server has nothing.
    pub(crate) embedded: Option<Value>,
}

/// Which uid and which version of one server is which of the other.
#[derive(Default)]
pub(crate) struct Ties {
    uids: (BTreeMap<String, String>, BTreeMap<String, String>),
    versions: BTreeMap<u64, u64>,
}

impl Ties {
    /// Every difference between the two, in the order of their pointers.
    pub(crate) fn compare(&mut self, real: &Value, embedded: &Value) -> Vec<Difference> {
        let mut differences = Vec::new();
        // A refusal and an object have nothing to compare part by part.
        if real["status"] != embedded["status"] {
            return vec![Difference {
                pointer: String::new(),
                real: Some(real.clone()),
                embedded: Some(embedded.clone()),
            }];
        }
        self.walk("", real, embedded, &mut differences);
        differences
    }

    fn walk(&mut self, pointer: &str, real: &Value, embedded: &Value, found: &mut Vec<Difference>) {
        let equal = match (real, embedded) {
            (Value::Object(a), Value::Object(b)) => {
                let b: BTreeMap<String, &Value> = b
                    .iter()
                    .map(|(name, value)| (self.as_there(name), value))
                    .collect();
                for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                    let inner = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    self.pair(&inner, a.get(name), b.get(name).copied(), found);
                }
                true
            }
            (Value::Array(a), Value::Array(b)) if is_list_of_words(a) && is_list_of_words(b) => a == b,
            (Value::Array(a), Value::Array(b)) => {
                for at in 0..a.len().max(b.len()) {
                    self.pair(&format!("{pointer}/{at}"), a.get(at), b.get(at), found);
                }
                true
            }
            (Value::String(a), Value::String(b)) => self.same_text(pointer, a, b),
            // 1 and 1.0 are one number to every client.
            (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
            (a, b) => a == b,
        };
        if !equal {
            found.push(Difference {
                pointer: pointer.to_owned(),
                real: Some(real.clone()),
                embedded: Some(embedded.clone()),
            });
        }
    }

    fn pair(
        &mut self,
        pointer: &str,
        real: Option<&Value>,
        embedded: Option<&Value>,
        found: &mut Vec<Difference>,
    ) {
        match (real, embedded) {
            (Some(real), Some(embedded)) => self.walk(pointer, real, embedded, found),
            (real, embedded) => found.push(Difference {
                pointer: pointer.to_owned(),
                real: real.cloned(),
                embedded: embedded.cloned(),
            }),
        }
    }

    fn same_text(&mut self, pointer: &str, real: &str, embedded: &str) -> bool {
        if pointer.ends_with("/resourceVersion")
            && let (Ok(real), Ok(embedded)) = (real.parse(), embedded.parse())
        {
            return self.tie_version(real, embedded);
        }
        if pointer.contains("/cells/") && AGE.is_match(real) && AGE.is_match(embedded) {
            return true;
        }
        let ids = |text: &str| -> Vec<String> {
            UID.find_iter(text)
                .map(|found| found.as_str().to_owned())
                .collect()
        };
        let (ours, theirs) = (ids(embedded), ids(real));
        UID.replace_all(real, "<uid>") == UID.replace_all(embedded, "<uid>")
            && theirs.len() == ours.len()
            && theirs
                .iter()
                .zip(&ours)
                .all(|(real, embedded)| self.tie_uid(real, embedded))
    }

    /// A name of the embedded server as the real one says it: managed fields name owners by their uids.
    fn as_there(&self, name: &str) -> String {
        let there = |uid: &regex::Captures<'_>| {
            self.uids
                .1
                .get(&uid[0])
                .map_or_else(|| uid[0].to_owned(), Clone::clone)
        };
        UID.replace_all(name, there).into_owned()
    }

    fn tie_uid(&mut self, real: &str, embedded: &str) -> bool {
        let there = self
            .uids
            .0
            .entry(real.to_owned())
            .or_insert_with(|| embedded.to_owned());
        let here = self
            .uids
            .1
            .entry(embedded.to_owned())
            .or_insert_with(|| real.to_owned());
        there == embedded && here == real
    }

    fn tie_version(&mut self, real: u64, embedded: u64) -> bool {
        if let Some(known) = self.versions.get(&real) {
            return *known == embedded;
        }
        let before = self.versions.range(..real).next_back();
        let after = self.versions.range(real..).next();
        let fits = before.is_none_or(|(_, version)| *version < embedded)
            && after.is_none_or(|(_, version)| *version > embedded);
        if fits {
            self.versions.insert(real, embedded);
        }
        fits
    }
}

/// Lists of plain words are shown whole: one that is missing would shift all the others.
fn is_list_of_words(items: &[Value]) -> bool {
    items.iter().all(Value::is_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(ties: &mut Ties, real: &Value, embedded: &Value) -> Vec<String> {
        ties.compare(real, embedded)
            .into_iter()
            .map(|difference| difference.pointer)
            .collect()
    }

    #[test]
    fn every_part_that_differs_is_named() {
        let mut ties = Ties::default();
        let real = json!({"a": [1, 2], "b": "x", "c": 1});
        let embedded = json!({"a": [1.0], "b": "y", "d": 1});
        assert_eq!(pointers(&mut ties, &real, &embedded), ["/a/1", "/b", "/c", "/d"]);
    }

    #[test]
    fn one_uid_may_not_be_two() {
        let uid = |n: u8| json!({"uid": format!("00000000-0000-0000-0000-0000000000{n:02}")});
        let mut ties = Ties::default();
        assert!(ties.compare(&uid(1), &uid(11)).is_empty());
        assert!(ties.compare(&uid(1), &uid(11)).is_empty());
        assert_eq!(pointers(&mut ties, &uid(1), &uid(12)), ["/uid"]);
        assert_eq!(pointers(&mut ties, &uid(2), &uid(11)), ["/uid"]);
    }

    #[test]
    fn versions_keep_their_order() {
        let version = |n: u8| json!({"resourceVersion": n.to_string()});
        let mut ties = Ties::default();
        assert!(ties.compare(&version(10), &version(1)).is_empty());
        assert!(ties.compare(&version(30), &version(2)).is_empty());
        assert!(ties.compare(&version(10), &version(1)).is_empty());
        assert_eq!(
            pointers(&mut ties, &version(20), &version(2)),
            ["/resourceVersion"]
        );
        assert_eq!(
            pointers(&mut ties, &version(40), &version(1)),
            ["/resourceVersion"]
        );
    }
}
