//! The paths of printer columns: fields, positions, wildcards and one comparison, as definitions use them.

use serde_json::Value;

/// A parsed path, `.status.conditions[?(@.type=="Valid")].status`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    /// From the end if negative.
    Position(i64),
    Every,
    /// Items whose part at the path compares so with the value.
    Where(JsonPath, Comparison, Value),
    /// Items that have the path.
    With(JsonPath),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl JsonPath {
    /// The path to a field by its names.
    pub(crate) fn fields(names: &[&str]) -> Self {
        Self(names.iter().map(|name| Step::Field((*name).into())).collect())
    }

    /// Takes a path apart; the error says what is not understood.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (step, after) = if let Some(inner) = rest.strip_prefix('[') {
                let end = closing(inner).ok_or_else(|| format!("{rest:?} has no end"))?;
                let (inside, after) = inner.split_at(end);
                (bracket(inside)?, after.get(1..).unwrap_or_default())
            } else if rest.starts_with("..") {
                return Err("\"..\" is not supported in a column".into());
            } else {
                field(rest.strip_prefix('.').unwrap_or(rest))?
            };
            steps.push(step);
            rest = after;
        }
        Ok(Self(steps))
    }

    /// The first value the path leads to.
    pub(crate) fn first<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        walk(&self.0, value)
    }
}

fn walk<'a>(steps: &[Step], value: &'a Value) -> Option<&'a Value> {
    let Some((step, rest)) = steps.split_first() else {
        return Some(value);
    };
    match step {
        Step::Field(name) => walk(rest, value.as_object()?.get(name)?),
        Step::Position(position) => {
            let items = value.as_array()?;
            let index = if *position < 0 {
                items
                    .len()
                    .checked_sub(usize::try_from(position.unsigned_abs()).ok()?)?
            } else {
                usize::try_from(*position).ok()?
            };
            walk(rest, items.get(index)?)
        }
        Step::Every => match value {
            Value::Array(items) => items.iter().find_map(|item| walk(rest, item)),
            Value::Object(fields) => fields.values().find_map(|field| walk(rest, field)),
            _ => None,
        },
        Step::Where(path, comparison, wanted) => value.as_array()?.iter().find_map(|item| {
            let found = path.first(item)?;
            comparison.holds(found, wanted).then(|| walk(rest, item))?
        }),
        Step::With(path) => value
            .as_array()?
            .iter()
            .find_map(|item| path.first(item).and_then(|_| walk(rest, item))),
    }
}

impl Comparison {
    fn holds(self, found: &Value, wanted: &Value) -> bool {
        let order = match (found, wanted) {
            (Value::String(found), Value::String(wanted)) => Some(found.cmp(wanted)),
            (Value::Number(found), Value::Number(wanted)) => found
                .as_f64()
                .zip(wanted.as_f64())
                .and_then(|(a, b)| a.partial_cmp(&b)),
            _ => (found == wanted).then_some(std::cmp::Ordering::Equal),
        };
        match self {
            Self::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
            Self::Unequal => order.is_none_or(std::cmp::Ordering::is_ne),
            Self::Less => order.is_some_and(std::cmp::Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(std::cmp::Ordering::is_le),
            Self::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(std::cmp::Ordering::is_ge),
        }
    }
}

/// Up to the next dot or bracket; a backslash takes the character after it as it is.
fn field(text: &str) -> Result<(Step, &str), String> {
    let mut name = String::new();
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            '.' | '[' if !escaped => return Ok((named(name)?, text.get(at..).unwrap_or_default())),
            _ => {
                name.push(character);
                escaped = false;
            }
        }
    }
    Ok((named(name)?, ""))
}

fn named(name: String) -> Result<Step, String> {
    match name.as_str() {
        "" => Err("a field has no name".into()),
        "*" => Ok(Step::Every),
        _ => Ok(Step::Field(name)),
    }
}

/// Where the bracket that was opened before `text` ends; brackets in quotes and inner ones do not count.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            (Some(_) | None, _) => {}
        }
    }
    None
}

fn bracket(text: &str) -> Result<Step, String> {
    let text = text.trim();
    if let Some(name) = unquoted(text) {
        return Ok(Step::Field(name.into()));
    }
    if text == "*" {
        return Ok(Step::Every);
    }
    if let Some(filter) = text
        .strip_prefix("?(")
        .and_then(|filter| filter.strip_suffix(')'))
    {
        return condition(filter.trim());
    }
    text.parse()
        .map(Step::Position)
        .map_err(|_| format!("\"[{text}]\" is not supported in a column"))
}

fn condition(text: &str) -> Result<Step, String> {
    // Longer signs first: `<=` is not `<`.
    let signs = [
        ("==", Comparison::Equal),
        ("!=", Comparison::Unequal),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let path = |text: &str| {
        let path = text
            .trim()
            .strip_prefix('@')
            .ok_or_else(|| format!("{text:?} does not start with @"))?;
        JsonPath::parse(path)
    };
    for (sign, comparison) in signs {
        if let Some((left, right)) = text.split_once(sign) {
            let right = right.trim();
            let value = match unquoted(right) {
                Some(text) => text.into(),
                None => serde_json::from_str(right).map_err(|_| format!("{right:?} is no value"))?,
            };
            return Ok(Step::Where(path(left)?, comparison, value));
        }
    }
    Ok(Step::With(path(text)?))
}

fn unquoted(text: &str) -> Option<&str> {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(path: &str) -> Option<Value> {
        let object = json!({
            "spec": {"a": 1, "a.b": "dotted", "list": [{"n": "x", "v": 1}, {"n": "y", "v": 2}, {"v": 3}]},
        });
        JsonPath::parse(path).unwrap().first(&object).cloned()
    }

    #[test]
    fn fields_positions_wildcards_and_conditions_lead_to_a_value() {
        for (path, wanted) in [
            (".spec.a", json!(1)),
            ("spec.a", json!(1)),
            (r".spec.a\.b", json!("dotted")),
            (".spec['a.b']", json!("dotted")),
            (".spec.list[1].n", json!("y")),
            (".spec.list[-1].v", json!(3)),
            (".spec.list[*].v", json!(1)),
            (r#".spec.list[?(@.n=="y")].v"#, json!(2)),
            (".spec.list[?(@.v > 2)].v", json!(3)),
            (".spec.list[?(@.n != 'x')].v", json!(2)),
            (".spec.list[?(@.n)].n", json!("x")),
        ] {
            assert_eq!(found(path), Some(wanted), "{path}");
        }
        for path in [".spec.z", ".spec.list[9].n", ".spec.a.b", ".spec.list.n"] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn what_a_column_cannot_say_is_refused_when_it_is_registered() {
        for path in ["..name", ".a[", ".a[x]", ".a..b", ".a[?(b==1)]", ".a[1:2]"] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
    }
}
