//! Reads JSON the way the API does: the last of two equal fields wins, and the caller is told that there were two.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A document and the paths of the fields it names more than once, in the order they were met.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    pub(crate) value: Value,
    pub(crate) duplicates: Vec<String>,
}

/// Reads one document; anything after it is an error.
pub(crate) fn read(text: &[u8]) -> Result<Document, serde_json::Error> {
    let mut duplicates = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let node = Node {
        path: String::new(),
        duplicates: &mut duplicates,
    };
    let value = node.deserialize(&mut reader)?;
    reader.end()?;
    Ok(Document { value, duplicates })
}

/// What is wrong with a document; an unfinished one is named as Go names it.
pub(crate) fn problem(error: &serde_json::Error) -> String {
    if error.is_eof() {
        "unexpected end of JSON input".to_owned()
    } else {
        error.to_string()
    }
}

struct Node<'a> {
    path: String,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let node = Node {
                path: format!("{}[{}]", self.path, values.len()),
                duplicates: &mut *self.duplicates,
            };
            match items.next_element_seed(node)? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let path = if self.path.is_empty() {
                name.clone()
            } else {
                format!("{}.{name}", self.path)
            };
            if fields.contains_key(&name) {
                self.duplicates.push(path.clone());
            }
            let node = Node {
                path,
                duplicates: &mut *self.duplicates,
            };
            let value = entries.next_value_seed(node)?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_of_two_equal_fields_wins_and_is_named() {
        let text = br#"{"a":1,"b":{"c":[{"d":1,"d":2}],"e":-1.5},"a":"x"}"#;
        let document = read(text).unwrap();
        assert_eq!(
            document.value,
            json!({"a": "x", "b": {"c": [{"d": 2}], "e": -1.5}})
        );
        assert_eq!(document.duplicates, ["b.c[0].d", "a"]);
    }

    #[test]
    fn what_follows_a_document_is_refused() {
        assert!(read(b"{} {}").is_err());
        assert!(read(b"{").is_err());
    }
}
