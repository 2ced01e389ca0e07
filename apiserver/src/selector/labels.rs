//! Label selectors: the language of `kubectl get -l`, with the refusals Kubernetes words for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    names::{label_value_problem, qualified_problem},
    status_error::StatusError,
};

/// What a label must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Requirement {
    Exists(String),
    Absent(String),
    In(String, BTreeSet<String>),
    /// Also true where the label is absent.
    NotIn(String, BTreeSet<String>),
    Greater(String, i64),
    Less(String, i64),
}

impl Requirement {
    pub(super) fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let number = |key: &String| labels.get(key).and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::Exists(key) => labels.contains_key(key),
            Self::Absent(key) => !labels.contains_key(key),
            Self::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Self::Greater(key, limit) => number(key).is_some_and(|number| number > *limit),
            Self::Less(key, limit) => number(key).is_some_and(|number| number < *limit),
        }
    }
}

/// Reads a selector; all its requirements must hold.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, StatusError> {
    Parser {
        tokens: tokens(text),
        next: 0,
    }
    .requirements()
    .map_err(StatusError::bad_request)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Sign,
    End,
}

type Token<'a> = (Kind, &'a str);

fn tokens(text: &str) -> Vec<Token<'_>> {
    const SIGNS: [&str; 8] = ["==", "!=", "=", "!", "(", ")", ",", "<"];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let sign = SIGNS.into_iter().chain([">"]).find(|sign| rest.starts_with(sign));
        let length = sign.map_or_else(
            || {
                let ends = |c: char| c.is_whitespace() || "=!(),<>".contains(c);
                rest.find(ends).unwrap_or(rest.len())
            },
            str::len,
        );
        let kind = if sign.is_some() { Kind::Sign } else { Kind::Word };
        let (token, after) = rest.split_at(length);
        tokens.push((kind, token));
        rest = after.trim_start();
    }
    tokens.push((Kind::End, ""));
    tokens
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.tokens.get(self.next).copied().unwrap_or((Kind::End, ""))
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek();
        self.next += 1;
        token
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                (Kind::Word, _) | (Kind::Sign, "!") => {
                    let requirement = self
                        .requirement()
                        .map_err(|problem| format!("unable to parse requirement: {problem}"))?;
                    requirements.push(requirement);
                }
                (Kind::End, _) => return Ok(requirements),
                (_, found) => {
                    return Err(format!(
                        "found '{found}', expected: !, identifier, or 'end of string'"
                    ));
                }
            }
            match self.take() {
                (Kind::End, _) => return Ok(requirements),
                (_, ",") => match self.peek() {
                    (Kind::Word, _) | (Kind::Sign, "!") => {}
                    (_, found) => return Err(format!("found '{found}', expected: identifier after ','")),
                },
                (_, found) => return Err(format!("found '{found}', expected: ',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let mut token = self.take();
        let negated = token.1 == "!";
        if negated {
            token = self.take();
        }
        let (Kind::Word, key) = token else {
            return Err(format!("found '{}', expected: identifier", token.1));
        };
        if let Some(problem) = qualified_problem(key) {
            return Err(format!("<nil>: Invalid value: {key:?}: {problem}"));
        }
        let key = key.to_owned();
        if negated {
            return Ok(Requirement::Absent(key));
        }
        if matches!(self.peek(), (Kind::End, _) | (_, ",")) {
            return Ok(Requirement::Exists(key));
        }
        match self.take().1 {
            "in" => Ok(Requirement::In(key.clone(), self.values(&key)?)),
            "notin" => Ok(Requirement::NotIn(key.clone(), self.values(&key)?)),
            "=" | "==" => Ok(Requirement::In(key.clone(), self.value(&key)?)),
            "!=" => Ok(Requirement::NotIn(key.clone(), self.value(&key)?)),
            ">" => Ok(Requirement::Greater(key.clone(), self.number(&key)?)),
            "<" => Ok(Requirement::Less(key.clone(), self.number(&key)?)),
            found => Err(format!("found '{found}', expected: in, notin, =, ==, !=, gt, lt")),
        }
    }

    /// `(a, b)`.
    fn values(&mut self, key: &str) -> Result<BTreeSet<String>, String> {
        match self.take() {
            (_, "(") => {}
            (_, found) => return Err(format!("found '{found}' expected: '('")),
        }
        let mut values = BTreeSet::new();
        let mut wants_value = true;
        loop {
            match self.take() {
                (_, ")") => {
                    if wants_value {
                        values.insert(String::new());
                    }
                    return checked(key, values);
                }
                (_, ",") if wants_value => drop(values.insert(String::new())),
                (_, ",") => wants_value = true,
                (Kind::Word, value) if wants_value => {
                    values.insert(value.to_owned());
                    wants_value = false;
                }
                (_, found) if wants_value && values.is_empty() => {
                    return Err(format!("found '{found}', expected: ',', ')' or identifier"));
                }
                (_, found) if wants_value => {
                    return Err(format!("found '{found}', expected: ',', or identifier"));
                }
                (_, found) => return Err(format!("found '{found}', expected: ',' or ')'")),
            }
        }
    }

    /// One value, perhaps empty.
    fn value(&mut self, key: &str) -> Result<BTreeSet<String>, String> {
        match self.peek() {
            (Kind::End, _) | (_, ",") => Ok(BTreeSet::from([String::new()])),
            (Kind::Word, value) => {
                self.next += 1;
                checked(key, BTreeSet::from([value.to_owned()]))
            }
            (_, found) => Err(format!("found '{found}', expected: identifier")),
        }
    }

    fn number(&mut self, key: &str) -> Result<i64, String> {
        let values = self.value(key)?;
        let text = values.first().map_or("", String::as_str);
        text.parse().map_err(|_| {
            format!(
                "values[0]: Invalid value: {text:?}: for 'Gt', 'Lt' operators, the value must be an integer"
            )
        })
    }
}

fn checked(key: &str, values: BTreeSet<String>) -> Result<BTreeSet<String>, String> {
    for (position, value) in values.iter().enumerate() {
        if let Some(problem) = label_value_problem(value) {
            return Err(format!(
                "values[{position}][{key}]: Invalid value: {value:?}: {problem}"
            ));
        }
    }
    Ok(values)
}
