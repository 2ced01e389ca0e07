//! What must hold once everything has ended.

use std::collections::BTreeSet;

use followlytics_core::{
    money::Usd,
    scan::{certificate::Guarantee, summary::Stage},
};
use followlytics_simulator::World;
use followlytics_store::{db::Db, ledger::Ledger, objects::Objects, params};

use crate::{
    installation::{Installation, name},
    schedule::{ScanPlan, Schedule},
};

pub fn verify(installation: &Installation, schedule: &Schedule) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (ledger, db, objects) = installation.open().await;
        let mut held = Usd::ZERO;
        for (number, plan) in schedule.scans.iter().enumerate() {
            let uid = uid(&db, &name(number)).await;
            held = held
                .plus(verify_scan(&ledger, &objects, &installation.site.world, plan, &uid, schedule).await);
            verify_money(&db, &uid).await;
        }
        let charged = Usd::from_nanos(installation.site.world.totals().charged_nano_usd);
        assert!(
            charged <= held,
            "BUDGET: the platforms charged {charged}, the ledger holds {held}"
        );
    });
}

/// NO-LOSS, NO-DOUBLE, STABLE, PAY-BOUND of one scan; returns what it was charged for at most.
async fn verify_scan(
    ledger: &Ledger,
    objects: &Objects,
    world: &World,
    plan: &ScanPlan,
    uid: &str,
    schedule: &Schedule,
) -> Usd {
    let summary = ledger.summary(uid).await.unwrap().unwrap();
    assert_eq!(summary.stage, Stage::Merged, "seed {}", schedule.seed);
    let record = summary.result.unwrap();
    assert_eq!(record.version, 1, "VISIBLE-ONCE");
    let list = ledger.merge_input(uid).await.unwrap().list;
    let promised = if list.carries_exact() {
        Guarantee::Exact
    } else {
        Guarantee::BestEffort
    };
    // Rows of a list without an order move between its pages.
    let may_lack = plan.churn > 0.0 && !list.carries_exact();
    assert!(
        record.certificate.guarantee == promised && (may_lack || record.certificate.unexplained == 0),
        "seed {}: {:?}",
        schedule.seed,
        record.certificate.evidence
    );
    let ids = followlytics_worker::result_ids(objects, &record).await.unwrap();
    let unique: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(ids.len(), unique.len(), "NO-DOUBLE, seed {}", schedule.seed);

    let account = world.account(plan.platform, &plan.handle).unwrap();
    let requests = world.requests(0, usize::MAX);
    let of_account = requests
        .iter()
        .filter(|request| request.account.as_deref() == Some(account.id.as_str()));
    let orders: Vec<u64> = of_account.map(|request| request.order).collect();
    let (first, until) = (*orders.first().unwrap(), *orders.last().unwrap());
    let ever = world
        .ever_present_between(plan.platform, &plan.handle, first, until)
        .unwrap();
    let invented = unique.iter().find(|id| !ever.contains(**id));
    assert_eq!(invented, None, "seed {}: never followed", schedule.seed);
    let truth = world
        .truth_between(plan.platform, &plan.handle, first, until)
        .unwrap();
    let missed: Vec<&String> = truth.iter().filter(|id| !unique.contains(id)).collect();
    assert!(
        may_lack || missed.is_empty(),
        "STABLE, seed {}: {} of {} who followed throughout are missing",
        schedule.seed,
        missed.len(),
        truth.len()
    );
    // A blow interrupts what is in flight: one request a runner, each of them visible.
    let blows = i64::try_from(schedule.blows.len()).unwrap() * i64::from(plan.runners);
    assert!(
        summary.requests.refetched_pages <= blows,
        "PAY-BOUND, seed {}: {} pages fetched again",
        schedule.seed,
        summary.requests.refetched_pages
    );
    summary.spent.plus(summary.ambiguous)
}

async fn uid(db: &Db, name: &str) -> String {
    let mut tx = db.begin().await.unwrap();
    let found = tx
        .find("SELECT uid FROM scans WHERE name = $1", params![name])
        .await
        .unwrap();
    found.unwrap().get(0).unwrap()
}

/// BUDGET: the purse is the sum of its rows.
async fn verify_money(db: &Db, uid: &str) {
    let mut tx = db.begin().await.unwrap();
    let sql = "SELECT spent, reserved, ambiguous FROM scans WHERE uid = $1";
    let purse = tx.find(sql, params![uid]).await.unwrap().unwrap();
    let sum = "SELECT CAST(COALESCE(SUM(price), 0) AS BIGINT) FROM";
    for (column, sql) in [
        (0, format!("{sum} usage WHERE scan = $1")),
        (1, format!("{sum} permits WHERE scan = $1 AND state = 'Open'")),
        (
            2,
            format!("{sum} permits WHERE scan = $1 AND state = 'Ambiguous'"),
        ),
    ] {
        let counted: i64 = tx
            .find(&sql, params![uid])
            .await
            .unwrap()
            .unwrap()
            .get(0)
            .unwrap();
        assert_eq!(purse.get::<i64>(column).unwrap(), counted, "{sql}");
    }
}
