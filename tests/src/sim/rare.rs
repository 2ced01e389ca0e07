//! Rare paths that no message shows: counted by the database itself, at every write.

use anyhow::Result;
use followlytics_store::{db::Db, params};

use super::shared::Shared;

/// What is counted, of which change of which table.
const PATHS: [(&str, &str, &str); 7] = [
    (
        "became ambiguous",
        "UPDATE ON permits",
        "OLD.state = 'Open' AND NEW.state = 'Ambiguous'",
    ),
    (
        "ambiguous settled",
        "UPDATE ON permits",
        "OLD.state = 'Ambiguous' AND NEW.state = 'Settled'",
    ),
    (
        "returned unused",
        "UPDATE ON permits",
        "OLD.state = 'Open' AND NEW.state = 'Returned'",
    ),
    (
        "late pages",
        "INSERT ON usage",
        "EXISTS (SELECT 1 FROM permits JOIN ranges ON ranges.scan = permits.scan AND ranges.id = permits.range_id \
         WHERE permits.id = NEW.permit AND permits.epoch < ranges.epoch)",
    ),
    (
        "chains restarted",
        "UPDATE ON ranges",
        "NEW.pass_from > OLD.pass_from AND NEW.lo IS NULL",
    ),
    (
        "held by the month",
        "UPDATE ON scans",
        "NEW.hold LIKE '%MonthlyBudgetReached%' AND OLD.hold IS NULL",
    ),
    (
        "held by the budget",
        "UPDATE ON scans",
        "NEW.hold LIKE '%BudgetExhausted%' AND OLD.hold IS NULL",
    ),
];

/// Begins to count.
pub(super) async fn watch(db: &Db) -> Result<()> {
    let mut tx = db.begin().await?;
    tx.execute("CREATE TABLE rare (path INTEGER)", params![]).await?;
    for (number, (_, change, when)) in PATHS.iter().enumerate() {
        let sql = format!(
            "CREATE TRIGGER rare_{number} AFTER {change} WHEN {when} BEGIN INSERT INTO rare VALUES ({number}); END"
        );
        tx.execute(&sql, params![]).await?;
    }
    Ok(tx.commit().await?)
}

/// Adds what was counted to the coverage.
pub(super) async fn cover(shared: &Shared, db: &Db) -> Result<()> {
    for (number, (name, ..)) in PATHS.iter().enumerate() {
        let sql = "SELECT COUNT(*) FROM rare WHERE path = $1";
        let row = db.find(sql, params![i64::try_from(number)?]).await?;
        let count: i64 = row.map_or(Ok(0), |row| row.get(0))?;
        let mut state = shared.lock();
        *state.coverage.entry(name).or_insert(0) += u64::try_from(count)?;
    }
    Ok(())
}
