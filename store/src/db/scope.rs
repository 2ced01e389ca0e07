//! What a write transaction may run beside, as names; on PostgreSQL they become advisory locks.
//!
//! Every method of the ledger reads rows, lets `core` decide, and writes what it said: between its first read
//! and its commit nobody else may change what it read. SQLite has one writer and needs nothing more.
//! PostgreSQL locks what the transaction's scope names, before its first read, in one order for all: ledger,
//! scan, credential. Advisory locks belong to one database, and their keys hold the schema's name too: several
//! installations in one server, or in one database under schemas of their own, do not meet.

use sha2::{Digest, Sha256};

/// What a write transaction is alone in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The whole ledger: every other scope but [`Scope::Objects`] waits.
    Ledger,
    /// One scan, by uid: its row and all rows that name it.
    Scan(&'a str),
    /// Nothing: every statement of it decides by itself, or touches rows nobody decides by.
    Rows,
    /// The API objects: their versions are given out in the order of their commits. Apart from the ledger.
    Objects,
}

/// A thing that transactions of several scans decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// A credential (`namespace/name`): its windows, its month, its shares.
    Credential(&'a str),
}

/// One advisory lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    Shared(i64),
    Exclusive(i64),
}

/// The numbers of one schema's locks.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    schema: String,
    ledger: i64,
    objects: i64,
}

impl Keys {
    pub(super) fn of(schema: &str) -> Self {
        Self {
            schema: schema.to_owned(),
            ledger: number(schema, "ledger", ""),
            objects: number(schema, "objects", ""),
        }
    }

    /// What a scope locks, in order.
    pub(super) fn of_scope(&self, scope: Scope<'_>) -> Vec<Lock> {
        match scope {
            Scope::Ledger => vec![Lock::Exclusive(self.ledger)],
            Scope::Scan(uid) => vec![
                Lock::Shared(self.ledger),
                Lock::Exclusive(number(&self.schema, "scan", uid)),
            ],
            Scope::Rows => vec![Lock::Shared(self.ledger)],
            Scope::Objects => vec![Lock::Exclusive(self.objects)],
        }
    }

    pub(super) fn of_key(&self, key: Key<'_>) -> Lock {
        Lock::Exclusive(match key {
            Key::Credential(name) => number(&self.schema, "credential", name),
        })
    }

    /// What only one starting process at a time does: the schema's steps.
    pub(crate) fn migrations(schema: &str) -> i64 {
        number(schema, "migrations", "")
    }
}

/// Two names may share a number: then they wait for each other without need, and nothing worse.
fn number(schema: &str, kind: &str, name: &str) -> i64 {
    let hash = Sha256::digest(format!("followlytics\0{schema}\0{kind}\0{name}"));
    let mut first = [0; 8];
    first.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    i64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scan_of_the_ledger_shares_the_lock_that_the_whole_ledger_takes_alone() {
        let keys = Keys::of("public");
        let [Lock::Shared(shared), Lock::Exclusive(scan)] = keys.of_scope(Scope::Scan("a"))[..] else {
            panic!("two locks")
        };
        assert_eq!(keys.of_scope(Scope::Ledger), [Lock::Exclusive(shared)]);
        assert_eq!(keys.of_scope(Scope::Rows), [Lock::Shared(shared)]);
        assert_ne!(keys.of_scope(Scope::Scan("b"))[1], Lock::Exclusive(scan));
        assert_ne!(keys.of_scope(Scope::Objects), keys.of_scope(Scope::Ledger));
    }

    #[test]
    fn installations_in_schemas_of_their_own_do_not_meet() {
        assert_ne!(
            Keys::of("one").of_scope(Scope::Ledger),
            Keys::of("two").of_scope(Scope::Ledger)
        );
        assert_ne!(Keys::migrations("one"), Keys::migrations("two"));
    }
}
