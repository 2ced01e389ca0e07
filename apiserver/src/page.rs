//! Lists, whole or in pages. Every page is of the version the first one was, as long as the log reaches back to it.
//!
//! What changed since is put back from the log: an object that is newer is shown as it was. Where the log no longer
//! knows, the client is told so (410) and given a token that goes on with the present.

mod token;

use std::collections::{BTreeMap, VecDeque};

use followlytics_store::{
    db::Tx,
    resources::{self, EventType, StoredObject},
};

use crate::{
    definition,
    present::ListMeta,
    registry::Form,
    router::Call,
    selector::Selector,
    server::Inner,
    status_error::{Cause, StatusError},
};
use token::Token;

/// Rows in one read.
const BATCH: i64 = 500;

/// What a list is to be of.
#[derive(Debug, Clone, Default, PartialEq)]
struct Wanted {
    /// `None` for the present.
    version: Option<i64>,
    after: (String, String),
    /// `None` for everything.
    limit: Option<usize>,
    /// Whether a token of an earlier page asks.
    continues: bool,
}

/// A page of a list.
pub(crate) struct Page {
    pub(crate) meta: ListMeta,
    pub(crate) items: Vec<StoredObject>,
}

/// Reads the list or the page of it that a request asks for.
pub(crate) async fn read(
    server: &Inner,
    tx: &mut Tx,
    call: &Call,
    selector: &Selector,
) -> Result<Page, StatusError> {
    check_options(call)?;
    let current = resources::current_version(tx).await?;
    let wanted = wanted(call, current)?;
    if let Some(version) = wanted.version.filter(|version| *version > current) {
        return Err(StatusError::version_too_large(version, current));
    }
    if call.resource.form == Form::Definition
        || wanted == Wanted::default()
        || selector.single_name().is_some()
    {
        let version = wanted.version.unwrap_or(current);
        let items = select(server, tx, call, selector).await?;
        let is_of_then = |stored: &StoredObject| stored.version <= version;
        if items.iter().all(is_of_then) {
            let meta = ListMeta {
                version,
                ..ListMeta::default()
            };
            return Ok(Page { meta, items });
        }
    }
    let version = wanted.version.unwrap_or(current);
    let changed = match past(tx, call, version, current).await? {
        Some(changed) => changed,
        None if wanted.continues => return Err(expired(&wanted.after)),
        None => return Err(StatusError::resource_expired()),
    };
    Reader {
        call,
        selector,
        changed,
        wanted,
    }
    .page(tx, version)
    .await
}

/// The objects of a collection as they are now, by namespace and name.
pub(crate) async fn select(
    server: &Inner,
    tx: &mut Tx,
    call: &Call,
    selector: &Selector,
) -> Result<Vec<StoredObject>, StatusError> {
    let (key, namespace) = (&call.resource.key, call.namespace.as_deref());
    let candidates = match (selector.single_name(), namespace, call.resource.namespaced) {
        _ if call.resource.form == Form::Definition => definition::list(tx, &server.registry).await?,
        (Some(name), Some(namespace), true) => resources::find_object(tx, key, namespace, name)
            .await?
            .into_iter()
            .collect(),
        (Some(name), _, false) => resources::find_object(tx, key, "", name)
            .await?
            .into_iter()
            .collect(),
        _ => resources::list_objects(tx, key, namespace).await?,
    };
    Ok(candidates
        .into_iter()
        .filter(|stored| is_wanted(selector, stored))
        .collect())
}

fn is_wanted(selector: &Selector, stored: &StoredObject) -> bool {
    selector.matches(&stored.labels, &stored.namespace, &stored.name, &stored.object)
}

/// The rules for `resourceVersionMatch`, and for what only a watch may ask.
fn check_options(call: &Call) -> Result<(), StatusError> {
    let field = "resourceVersionMatch";
    let (matching, version) = (call.query.text(field), call.query.text("resourceVersion"));
    let mut causes = Vec::new();
    if !matching.is_empty() {
        if version.is_empty() {
            let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            causes.push(Cause::forbidden(field, why));
        }
        if !call.query.text("continue").is_empty() {
            causes.push(Cause::forbidden(
                field,
                "resourceVersionMatch is forbidden with continue",
            ));
        }
        if !matches!(matching, "Exact" | "NotOlderThan") {
            let supported = ["Exact", "NotOlderThan", ""];
            causes.push(Cause::not_supported(field, &matching.into(), &supported));
        }
        if matching == "Exact" && version == "0" {
            let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            causes.push(Cause::forbidden(field, why));
        }
    }
    if call.query.has("sendInitialEvents") {
        let why = "sendInitialEvents is forbidden for list";
        causes.push(Cause::forbidden("sendInitialEvents", why));
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(StatusError::invalid_options("ListOptions", &causes))
    }
}

fn wanted(call: &Call, current: i64) -> Result<Wanted, StatusError> {
    let query = &call.query;
    let limit = query.number("limit")?.filter(|limit| *limit > 0);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let asked = query
        .version()
        .map_err(|why| StatusError::bad_request(format!("invalid resource version: {why}")))?;
    let token = query.text("continue");
    if !token.is_empty() {
        if asked.is_some_and(|asked| asked != 0) {
            return Err(StatusError::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let token = Token::decode(token)?;
        let (namespace, name) = token.after()?;
        return Ok(Wanted {
            version: (token.rv >= 0).then_some(token.rv),
            after: (namespace, name),
            limit,
            continues: true,
        });
    }
    let version = match (asked, query.text("resourceVersionMatch")) {
        (Some(asked), "Exact") => Some(asked),
        // As it was before there was a choice: a page of a version is of exactly that version.
        (Some(asked), "") if asked > 0 && limit.is_some() => Some(asked),
        (Some(asked), _) if asked > current => Some(asked),
        _ => None,
    };
    Ok(Wanted {
        version,
        // Anything will do, so everything is what is at hand.
        limit: limit.filter(|_| asked != Some(0)),
        ..Wanted::default()
    })
}

fn expired(after: &(String, String)) -> StatusError {
    StatusError::list_expired(Token::encode(-1, after))
}

/// What the objects that changed since a version were then; `None` where the log no longer says.
type Past = BTreeMap<(String, String), Then>;

/// One of them.
#[derive(Debug, Default)]
struct Then {
    /// Absent if it did not exist.
    was: Option<StoredObject>,
    /// Whether it exists now.
    is: bool,
}

async fn past(tx: &mut Tx, call: &Call, version: i64, current: i64) -> Result<Option<Past>, StatusError> {
    let mut past = Past::new();
    if version >= current {
        return Ok(Some(past));
    }
    let (key, namespace) = (&call.resource.key, call.namespace.as_deref());
    if resources::horizon(tx, key).await? > version {
        return Ok(None);
    }
    for (namespace, name, what) in resources::changes_since(tx, key, namespace, version).await? {
        let is = what != EventType::Deleted.as_str();
        let place = (namespace, name);
        if let Some(then) = past.get_mut(&place) {
            then.is = is;
            continue;
        }
        let event = resources::last_change(tx, key, &place.0, &place.1, version).await?;
        let was = match event {
            Some(event) if event.event_type == EventType::Deleted => None,
            Some(event) => Some(StoredObject {
                resource: key.clone(),
                namespace: event.namespace,
                name: event.name,
                uid: String::new(),
                version: event.version,
                labels: event.labels,
                object: event.object,
            }),
            // Its first change since was its beginning.
            None if what == EventType::Added.as_str() => None,
            None => return Ok(None),
        };
        past.insert(place, Then { was, is });
    }
    Ok(Some(past))
}

/// Reads one page: what is stored, with the past put in its place.
struct Reader<'a> {
    call: &'a Call,
    selector: &'a Selector,
    changed: Past,
    wanted: Wanted,
}

impl Reader<'_> {
    async fn page(self, tx: &mut Tx, version: i64) -> Result<Page, StatusError> {
        let limit = self.wanted.limit.unwrap_or(usize::MAX);
        let mut after = self.wanted.after.clone();
        let mut pending = self.objects_of_then(&after);
        let mut items: Vec<StoredObject> = Vec::new();
        loop {
            let (key, namespace) = (&self.call.resource.key, self.call.namespace.as_deref());
            let batch = resources::list_page(tx, key, namespace, (&after.0, &after.1), BATCH).await?;
            let is_last = i64::try_from(batch.len()).unwrap_or(BATCH) < BATCH;
            if let Some(last) = batch.last() {
                after = place(last);
            }
            for stored in batch {
                let here = place(&stored);
                while pending.front().is_some_and(|first| place(first) <= here) {
                    items.extend(pending.pop_front());
                }
                if !self.changed.contains_key(&here) && is_wanted(self.selector, &stored) {
                    items.push(stored);
                }
            }
            if is_last {
                items.extend(pending.drain(..));
            }
            if is_last || items.len() >= limit {
                break;
            }
        }
        self.cut(tx, version, items, limit).await
    }

    /// What the changed objects after a place were, in order, as far as they are wanted.
    fn objects_of_then(&self, after: &(String, String)) -> VecDeque<StoredObject> {
        self.changed
            .iter()
            .filter(|(place, _)| *place > after)
            .filter_map(|(_, then)| then.was.clone())
            .filter(|stored| is_wanted(self.selector, stored))
            .collect()
    }

    async fn cut(
        &self,
        tx: &mut Tx,
        version: i64,
        mut items: Vec<StoredObject>,
        limit: usize,
    ) -> Result<Page, StatusError> {
        let mut meta = ListMeta {
            version,
            ..ListMeta::default()
        };
        if items.len() >= limit {
            items.truncate(limit);
            let after = items.last().map(place).unwrap_or_default();
            let rest = self.count_after(tx, &after).await?;
            if rest > 0 {
                meta.continue_token = Some(Token::encode(version, &after));
            }
            // With a selector nobody knows how many of the rest are wanted, or whether any is.
            meta.remaining = Some(rest).filter(|_| self.selector.is_empty());
        }
        Ok(Page { meta, items })
    }

    async fn count_after(&self, tx: &mut Tx, after: &(String, String)) -> Result<i64, StatusError> {
        let (key, namespace) = (&self.call.resource.key, self.call.namespace.as_deref());
        let now = resources::count_after(tx, key, namespace, (&after.0, &after.1)).await?;
        let later = self.changed.iter().filter(|(place, _)| *place > after);
        let difference: i64 = later
            .map(|(_, then)| i64::from(then.was.is_some()) - i64::from(then.is))
            .sum();
        Ok(now + difference)
    }
}

fn place(stored: &StoredObject) -> (String, String) {
    (stored.namespace.clone(), stored.name.clone())
}
