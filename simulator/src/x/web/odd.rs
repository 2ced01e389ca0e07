//! The same page in members nobody documented: what a client meets on the day X changes its answers.
//!
//! The page's own script is of the same build as its server and knows them.

use serde_json::{Value, json};

use crate::population::Population;

use super::{cut::Cut, rows::Person};

pub(super) fn body(people: &Population, cut: &Cut, after: &str) -> Value {
    let visible = cut.users.iter().filter(|user| !people.is_hidden(**user));
    let items: Vec<Value> = visible.map(|user| item(&Person::of(people, *user))).collect();
    json!({"data": {"relationship_timeline": {"page": {"items": items, "after": after}}}})
}

fn item(person: &Person) -> Value {
    json!({"account": {
        "key": person.id,
        "tag": person.handle,
        "label": person.name,
        "about": person.bio,
        "badge": person.is_verified,
        "closed": person.is_protected,
    }})
}
