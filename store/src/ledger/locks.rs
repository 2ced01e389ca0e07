//! Locks with an end: one holder at a time, gone by themselves after a crash.

use jiff::{SignedDuration, Timestamp};

use super::{Ledger, LedgerError};
use crate::{db::Scope, params};

/// What became of [`Ledger::take_lock`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockTaken {
    /// The caller holds it.
    Yes,
    /// Another holds it.
    By {
        /// Who.
        holder: String,
        /// When it is gone, unless it is renewed before.
        until: Timestamp,
    },
}

impl Ledger {
    /// Takes the lock for at most `longest`; the holder's name, or `None` while another holds it.
    pub async fn try_lock(&self, name: &str, longest: SignedDuration) -> Result<Option<String>, LedgerError> {
        let holder = (self.ids)();
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        let now = self.now_in(&tx);
        let until = now.saturating_add(longest).unwrap_or(now);
        let taken = tx
            .execute(
                "INSERT INTO locks (name, holder, until) VALUES ($1, $2, $3) \
                 ON CONFLICT (name) DO UPDATE SET holder = $2, until = $3 WHERE locks.until <= $4",
                params![name, &holder, until, now],
            )
            .await?;
        tx.commit().await?;
        Ok((taken > 0).then_some(holder))
    }

    /// Gives the lock back, if `holder` still has it.
    pub async fn unlock(&self, name: &str, holder: &str) -> Result<(), LedgerError> {
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        tx.execute(
            "DELETE FROM locks WHERE name = $1 AND holder = $2",
            params![name, holder],
        )
        .await?;
        Ok(tx.commit().await?)
    }

    /// Takes the lock for `longest` under a name of the caller's own, which is nobody else's; also from a holder that
    /// `is_gone` knows to be dead.
    pub async fn take_lock(
        &self,
        name: &str,
        holder: &str,
        longest: SignedDuration,
        is_gone: impl Fn(&str) -> bool,
    ) -> Result<LockTaken, LedgerError> {
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        let now = self.now_in(&tx);
        let found = tx
            .find("SELECT holder, until FROM locks WHERE name = $1", params![name])
            .await?;
        let dead = match &found {
            Some(row) => Some(row.get::<String>(0)?).filter(|holder| is_gone(holder)),
            None => None,
        };
        let until = now.saturating_add(longest).unwrap_or(now);
        // Somebody may have taken it since it was read: the condition is asked where the row is written.
        let taken = tx
            .execute(
                "INSERT INTO locks (name, holder, until) VALUES ($1, $2, $3) \
                 ON CONFLICT (name) DO UPDATE SET holder = $2, until = $3 \
                 WHERE locks.until <= $4 OR locks.holder = $2 OR locks.holder = $5",
                params![name, holder, until, now, dead],
            )
            .await?;
        let answer = if taken > 0 {
            LockTaken::Yes
        } else {
            let found = tx
                .find("SELECT holder, until FROM locks WHERE name = $1", params![name])
                .await?;
            match found {
                Some(row) => LockTaken::By {
                    holder: row.get(0)?,
                    until: row.get(1)?,
                },
                // Given back this moment: the caller asks again.
                None => LockTaken::By {
                    holder: String::new(),
                    until: now,
                },
            }
        };
        tx.commit().await?;
        Ok(answer)
    }

    /// Keeps the lock for `longest` from now; `false` once somebody else took it. One that ran out and that nobody
    /// took is the holder's again.
    pub async fn renew_lock(
        &self,
        name: &str,
        holder: &str,
        longest: SignedDuration,
    ) -> Result<bool, LedgerError> {
        let mut tx = self.db.begin_within(Scope::Rows).await?;
        let now = self.now_in(&tx);
        let until = now.saturating_add(longest).unwrap_or(now);
        let renewed = tx
            .execute(
                "UPDATE locks SET until = $3 WHERE name = $1 AND holder = $2",
                params![name, holder, until],
            )
            .await?;
        tx.commit().await?;
        Ok(renewed > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    use super::*;
    use crate::testing;

    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    fn ledger() -> (Ledger, Arc<AtomicI64>) {
        let seconds = Arc::new(AtomicI64::new(1_790_000_000));
        let clock = Arc::clone(&seconds);
        let now = move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap();
        let ids = Arc::new(|| "id".to_owned());
        (Ledger::new(testing::database(), Arc::new(now), ids), seconds)
    }

    #[tokio::test]
    async fn a_lock_has_one_holder_and_its_name_is_told_to_the_others() {
        let (ledger, seconds) = ledger();
        let never = |_: &str| false;
        let first = ledger.take_lock("plane", "first", MINUTE, never).await.unwrap();
        assert_eq!(first, LockTaken::Yes);
        let until = Timestamp::from_second(1_790_000_060).unwrap();
        let taken = LockTaken::By {
            holder: "first".into(),
            until,
        };
        assert_eq!(
            ledger.take_lock("plane", "second", MINUTE, never).await.unwrap(),
            taken
        );
        // Its holder may ask again, other locks are free, and what has run out is anybody's.
        assert_eq!(
            ledger.take_lock("plane", "first", MINUTE, never).await.unwrap(),
            LockTaken::Yes
        );
        assert_eq!(
            ledger.take_lock("other", "second", MINUTE, never).await.unwrap(),
            LockTaken::Yes
        );
        seconds.fetch_add(60, Ordering::Relaxed);
        assert_eq!(
            ledger.take_lock("plane", "second", MINUTE, never).await.unwrap(),
            LockTaken::Yes
        );
        assert!(!ledger.renew_lock("plane", "first", MINUTE).await.unwrap());
        assert!(ledger.renew_lock("plane", "second", MINUTE).await.unwrap());
    }

    #[tokio::test]
    async fn a_renewed_lock_stays_and_one_that_is_given_back_is_free() {
        let (ledger, seconds) = ledger();
        let never = |_: &str| false;
        ledger.take_lock("plane", "first", MINUTE, never).await.unwrap();
        for _ in 0..5 {
            seconds.fetch_add(50, Ordering::Relaxed);
            assert!(ledger.renew_lock("plane", "first", MINUTE).await.unwrap());
        }
        let found = ledger.take_lock("plane", "second", MINUTE, never).await.unwrap();
        assert!(matches!(found, LockTaken::By { .. }), "{found:?}");
        ledger.unlock("plane", "second").await.unwrap();
        assert!(
            ledger.renew_lock("plane", "first", MINUTE).await.unwrap(),
            "not its to give"
        );
        ledger.unlock("plane", "first").await.unwrap();
        assert_eq!(
            ledger.take_lock("plane", "second", MINUTE, never).await.unwrap(),
            LockTaken::Yes
        );
    }

    #[tokio::test]
    async fn a_holder_that_is_known_to_be_dead_is_followed_at_once() {
        let (ledger, _) = ledger();
        ledger
            .take_lock("plane", "home-1", MINUTE, |_| false)
            .await
            .unwrap();
        let other = ledger
            .take_lock("plane", "away", MINUTE, |holder| holder == "away-0")
            .await;
        assert!(matches!(other.unwrap(), LockTaken::By { .. }));
        let next = ledger
            .take_lock("plane", "home-2", MINUTE, |holder| holder == "home-1")
            .await;
        assert_eq!(next.unwrap(), LockTaken::Yes);
        assert!(!ledger.renew_lock("plane", "home-1", MINUTE).await.unwrap());
    }
}
