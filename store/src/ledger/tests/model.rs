//! Money against a model: whatever happens to permits in whatever order, purse and months add up.

use followlytics_core::{money::Usd, wire::Release};

use super::*;

const CREDENTIALS: [&str; 2] = ["default/x", "default/y"];
const CENT: i64 = 10_000_000;

/// A small generator: the same seed plays the same sequence.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[derive(Debug, Clone)]
struct Paid {
    permit: Permit,
    credential: usize,
    price: i64,
    ambiguous: bool,
}

/// What the ledger should say, in cents.
#[derive(Debug, Default)]
struct Model {
    spent: i64,
    surplus: i64,
    open: Vec<Paid>,
    /// Charged, by credential, over all scans; and what deleted scans may have cost.
    charged: [i64; 2],
    deleted: [i64; 2],
    /// Which credential the scan names, its lease has, and its chain's token belongs to.
    named: usize,
    leased: usize,
    chain: Option<usize>,
}

impl Model {
    fn sum(&self, ambiguous: bool) -> i64 {
        let held = self.open.iter().filter(|paid| paid.ambiguous == ambiguous);
        held.map(|paid| paid.price).sum()
    }

    fn month(&self, credential: usize) -> i64 {
        let held = self.open.iter().filter(|paid| paid.credential == credential);
        self.charged[credential] + self.deleted[credential] + held.map(|paid| paid.price).sum::<i64>()
    }

    fn granted(&mut self, step: &Step) {
        let Step::Permit(permit) = step else { return };
        if self.open.iter().all(|paid| paid.permit.id != permit.id) {
            self.open.push(Paid {
                permit: permit.clone(),
                credential: self.chain.unwrap_or(self.leased),
                price: match permit.family {
                    Family::Server => 0,
                    Family::Lookup => 1,
                    Family::Followers => i64::from(permit.max_rows),
                },
                ambiguous: false,
            });
        }
    }

    fn take(&mut self, id: &str) -> Paid {
        let index = self.open.iter().position(|paid| paid.permit.id == id).unwrap();
        self.open.remove(index)
    }

    fn charge(&mut self, paid: &Paid, charged: i64) {
        self.spent += charged.min(paid.price);
        self.surplus += (charged - paid.price).max(0);
        self.charged[paid.credential] += charged;
    }

    async fn check(&self, desk: &Desk, after: &str) {
        let found = desk.ledger.summary("scan").await.unwrap().unwrap();
        let cents = |usd: Usd| usd.nanos() / CENT;
        assert_eq!(
            [found.spent, found.surplus, found.reserved, found.ambiguous].map(cents),
            [self.spent, self.surplus, self.sum(false), self.sum(true)],
            "{after}: spent, surplus, reserved, ambiguous"
        );
        for (index, name) in CREDENTIALS.iter().enumerate() {
            let used = cents(desk.ledger.month_used(name).await.unwrap());
            assert_eq!(used, self.month(index), "{after}: month of {name}");
        }
        let promised = self.spent + self.sum(false) + self.sum(true);
        assert!(promised <= cents(desk.request.budget), "{after}: over the budget");
    }
}

/// One scan after another on one ledger, and the lease of its only runner.
struct Play {
    desk: Desk,
    model: Model,
    dice: Dice,
    sandbox: Sandbox,
    lease: Option<Lease>,
    pages: u32,
}

impl Play {
    async fn new(seed: u64) -> Self {
        let desk = Desk::new("60.00", None).await;
        let sandbox = desk.sandbox("a").await;
        Self {
            desk,
            model: Model::default(),
            dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            sandbox,
            lease: None,
            pages: 0,
        }
    }

    async fn claim(&mut self) {
        let Ok(Claimed::Range { held, .. }) = self.desk.ledger.claim(&self.sandbox).await else {
            return;
        };
        // A lease that is still held keeps its credential.
        if self
            .lease
            .as_ref()
            .is_none_or(|lease| lease.epoch != held.epoch || lease.range != held.range)
        {
            self.model.leased = self.model.named;
        }
        if let Ok(lease) = self.desk.ledger.open_lease(&self.sandbox, held).await {
            self.model.granted(&lease.step);
            self.lease = Some(lease);
        }
    }

    fn heard(&mut self, step: Step) {
        self.model.granted(&step);
        if let Some(lease) = &mut self.lease {
            lease.step = step;
        }
    }

    /// The permit that the runner would use now.
    fn current(&self) -> Option<(Lease, Permit)> {
        let lease = self.lease.clone()?;
        let Step::Permit(permit) = &lease.step else {
            return None;
        };
        let permit = permit.clone();
        Some((lease, permit))
    }

    async fn answer(&mut self) {
        let Some((lease, permit)) = self.current() else {
            return;
        };
        if permit.family == Family::Lookup {
            let found = Found {
                held: held(&lease),
                permit: permit.id.clone(),
                finding: Finding::Account(AccountReport {
                    followers: 2000,
                    ..report()
                }),
                told: None,
            };
            if let Ok(reply) = self.desk.ledger.record_finding(&self.sandbox, &found).await {
                let paid = self.model.take(&permit.id);
                self.model.charge(&paid, 1);
                self.heard(reply.step);
            }
            return;
        }
        let rows = match self.dice.roll(4) {
            0 => i64::from(permit.max_rows) + 50,
            1 => 0,
            _ => i64::from(permit.max_rows),
        };
        let mut page = Desk::page(&lease, &permit, rows, false);
        self.pages += 1;
        page.header.output.cursor = Some(format!("token-{}", self.pages));
        page.key = format!("page-{}", self.pages);
        page.sha256.clone_from(&page.key);
        if let Ok(reply) = self.desk.ledger.commit_page(&self.sandbox, &page).await {
            let paid = self.model.take(&permit.id);
            self.model.charge(&paid, rows);
            self.model.chain.get_or_insert(paid.credential);
            self.heard(reply.step);
        }
    }

    async fn fail(&mut self) {
        let Some((lease, permit)) = self.current() else {
            return;
        };
        let class = [Class::ServerError, Class::NoAnswer][usize::try_from(self.dice.roll(2)).unwrap()];
        let failed = Failed {
            held: held(&lease),
            permit: permit.id.clone(),
            failure: Failure {
                class,
                message: "said so".into(),
                told: None,
                retry_after_ms: None,
            },
        };
        if let Ok(reply) = self.desk.ledger.record_failure(&self.sandbox, &failed).await {
            let open = self
                .model
                .open
                .iter_mut()
                .find(|paid| paid.permit.id == permit.id);
            if let Some(paid) = open {
                paid.ambiguous = true;
                // A refusal is free, however late it arrives.
                if class == Class::ServerError {
                    self.model.take(&permit.id);
                }
            }
            self.heard(reply.step);
        }
    }

    async fn step(&mut self, returns: bool) {
        let Some(lease) = self.lease.clone() else { return };
        let unused = self.current().map(|(_, permit)| permit.id).filter(|_| returns);
        let release = Release {
            held: held(&lease),
            unused: unused.clone(),
        };
        if let Ok(reply) = self.desk.ledger.step(&self.sandbox, &release).await {
            if let Some(unused) = unused
                && self
                    .model
                    .open
                    .iter()
                    .any(|paid| paid.permit.id == unused && !paid.ambiguous)
            {
                self.model.take(&unused);
            }
            let handed_back =
                matches!(&reply.step, Step::Wait { reason, .. } if reason == "CredentialChanged");
            self.heard(reply.step);
            if handed_back {
                let release = Release {
                    held: held(&lease),
                    unused: None,
                };
                self.desk.ledger.release(&self.sandbox, &release).await.unwrap();
                self.lease = None;
            }
        }
    }

    async fn pass(&mut self) {
        self.desk.pass(120);
        self.desk.ledger.sweep_permits().await.unwrap();
        for paid in &mut self.model.open {
            paid.ambiguous = true;
        }
    }

    async fn edit(&mut self) {
        self.model.named = usize::try_from(self.dice.roll(2)).unwrap();
        self.desk.request.credential = CREDENTIALS[self.model.named].to_owned();
        let raise = Usd::from_nanos(i64::try_from(self.dice.roll(3)).unwrap() * 500 * CENT);
        self.desk.request.budget = self.desk.request.budget.plus(raise);
        self.desk.request.generation += 1;
        self.desk.ledger.ensure_scan(&self.desk.request).await.unwrap();
    }

    async fn delete(&mut self) {
        self.desk.ledger.forget_scan("scan", false).await.unwrap();
        for paid in std::mem::take(&mut self.model.open) {
            self.model.deleted[paid.credential] += paid.price;
        }
        (self.model.spent, self.model.surplus, self.model.chain) = (0, 0, None);
        self.lease = None;
        self.desk.ledger.ensure_scan(&self.desk.request).await.unwrap();
        self.sandbox = self.desk.sandbox("a").await;
    }

    async fn turn(&mut self) -> &'static str {
        match self.dice.roll(16) {
            0..=2 => {
                self.claim().await;
                "claim"
            }
            3..=8 => {
                self.answer().await;
                "answer"
            }
            9 | 10 => {
                self.fail().await;
                "fail"
            }
            11 => {
                self.step(true).await;
                "return"
            }
            12 => {
                self.step(false).await;
                "step"
            }
            13 => {
                self.pass().await;
                "pass"
            }
            14 => {
                self.edit().await;
                "edit"
            }
            _ if self.dice.roll(4) == 0 => {
                self.delete().await;
                "delete"
            }
            _ => "nothing",
        }
    }
}

#[tokio::test]
async fn purse_and_months_agree_with_a_model_after_every_operation() {
    // What the sequences reached: a model that is never contradicted must have been asked.
    let (mut pages, mut surplus, mut deleted, mut moved) = (0, 0, 0, 0);
    for seed in 1..=24 {
        let mut play = Play::new(seed).await;
        for turn in 0..60 {
            let what = play.turn().await;
            play.model
                .check(&play.desk, &format!("seed {seed}, turn {turn}, {what}"))
                .await;
            let chain = play.model.chain.is_some_and(|chain| chain != play.model.named);
            moved += i32::from(chain && play.current().is_some());
        }
        pages += play.pages;
        surplus += i32::from(play.model.surplus > 0);
        deleted += i32::from(play.model.deleted != [0, 0]);
    }
    assert!(
        pages > 50 && surplus > 3 && deleted > 3 && moved > 20,
        "{pages} {surplus} {deleted} {moved}"
    );
}
