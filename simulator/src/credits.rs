//! X's credit ledger: what each developer app has read, paid and has left.
//!
//! A bitmap per (UTC day, resource) makes de-duplication of ten million rows cost 1.25 MB.

use std::collections::BTreeMap;

use crate::{config::XPricing, error::WorldError, world::World};

/// What is charged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resource {
    Follower,
    User,
}

/// Whether an app may read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    Depleted,
    Capped,
}

#[derive(Debug, Default)]
struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    /// Whether `number` was new.
    fn insert(&mut self, number: u64) -> bool {
        let Ok(index) = usize::try_from(number / 64) else {
            return true;
        };
        if index >= self.words.len() {
            self.words.resize(index + 1, 0);
        }
        let bit = 1u64 << (number % 64);
        let Some(word) = self.words.get_mut(index) else {
            return true;
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

#[derive(Debug)]
struct Ledger {
    balance_nano_usd: Option<i64>,
    rows: u64,
    day: i64,
    seen: BTreeMap<Resource, Bitmap>,
}

/// All apps' ledgers.
#[derive(Debug)]
pub(crate) struct Credits {
    opening_nano_usd: Option<i64>,
    cap_rows: Option<u64>,
    dedupe: bool,
    ledgers: BTreeMap<String, Ledger>,
}

impl Credits {
    pub(crate) fn new(pricing: &XPricing) -> Self {
        Self {
            opening_nano_usd: pricing.balance_nano_usd,
            cap_rows: pricing.usage_cap_rows,
            dedupe: pricing.dedupe_per_utc_day,
            ledgers: BTreeMap::new(),
        }
    }

    fn ledger(&mut self, app: &str) -> &mut Ledger {
        let opening = self.opening_nano_usd;
        self.ledgers.entry(app.to_owned()).or_insert_with(|| Ledger {
            balance_nano_usd: opening,
            rows: 0,
            day: 0,
            seen: BTreeMap::new(),
        })
    }

    pub(crate) fn standing(&mut self, app: &str) -> Standing {
        let cap = self.cap_rows;
        let ledger = self.ledger(app);
        if ledger.balance_nano_usd.is_some_and(|balance| balance <= 0) {
            Standing::Depleted
        } else if cap.is_some_and(|cap| ledger.rows >= cap) {
            Standing::Capped
        } else {
            Standing::Good
        }
    }

    /// Charges for rows that were read and returns the charge. The balance may go below zero once: the platform
    /// checks before a request, not after it.
    pub(crate) fn charge(
        &mut self,
        app: &str,
        day: i64,
        resource: Resource,
        users: &[u64],
        price_nano_usd: i64,
    ) -> i64 {
        let dedupe = self.dedupe;
        let ledger = self.ledger(app);
        if ledger.day != day {
            ledger.day = day;
            ledger.seen.clear();
        }
        let seen = ledger.seen.entry(resource).or_default();
        let mut charged = 0i64;
        for user in users {
            // Number 0 is nobody: a broken row is always charged.
            if !dedupe || *user == 0 || seen.insert(*user) {
                charged = charged.saturating_add(price_nano_usd);
            }
            ledger.rows = ledger.rows.saturating_add(1);
        }
        if let Some(balance) = &mut ledger.balance_nano_usd {
            *balance = balance.saturating_sub(charged);
        }
        charged
    }
}

impl World {
    /// Sets what an X app (by client id) has left, in nano-dollars; `None` = unlimited.
    pub fn set_x_balance(&self, client_id: &str, balance_nano_usd: Option<i64>) -> Result<(), WorldError> {
        let mut state = self.lock();
        state.oauth.require_app(client_id)?;
        state.credits.ledger(client_id).balance_nano_usd = balance_nano_usd;
        Ok(())
    }

    /// What an X app has left, in nano-dollars; `None` = unlimited.
    pub fn x_balance(&self, client_id: &str) -> Result<Option<i64>, WorldError> {
        let mut state = self.lock();
        state.oauth.require_app(client_id)?;
        Ok(state.credits.ledger(client_id).balance_nano_usd)
    }

    /// Sets the cap on rows per X app; `None` = no cap.
    pub fn set_x_usage_cap(&self, rows: Option<u64>) {
        self.lock().credits.cap_rows = rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_charged_once_a_day_and_again_tomorrow() {
        let mut credits = Credits::new(&XPricing::default());
        assert_eq!(credits.charge("a", 1, Resource::Follower, &[1, 2, 2], 10), 20);
        assert_eq!(credits.charge("a", 1, Resource::Follower, &[2, 3], 10), 10);
        assert_eq!(credits.charge("a", 1, Resource::User, &[2], 10), 10);
        assert_eq!(credits.charge("b", 1, Resource::Follower, &[2], 10), 10);
        assert_eq!(credits.charge("a", 2, Resource::Follower, &[2], 10), 10);
    }

    #[test]
    fn a_balance_goes_below_zero_once_and_then_blocks() {
        let pricing = XPricing {
            balance_nano_usd: Some(15),
            ..XPricing::default()
        };
        let mut credits = Credits::new(&pricing);
        assert_eq!(credits.standing("a"), Standing::Good);
        credits.charge("a", 1, Resource::Follower, &[1, 2], 10);
        assert_eq!(credits.standing("a"), Standing::Depleted);
        assert_eq!(credits.standing("b"), Standing::Good);
    }
}
