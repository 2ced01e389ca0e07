//! The statements of a commit, from the server's log to a script of pgbench.
//!
//! Compares several commits of one scan, parameter by parameter. What stays is a constant; what changes is one of
//! the commit's names, its time, or a number that grows with the page's. Anything else is an error: nothing is
//! left out and nothing is made up.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Context as _, Result, bail, ensure};

use super::sender::{CREDENTIAL, Commit, HOLDER, PERMIT, SCAN};

/// A statement and its parameters, as text; `None` = NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    sql: String,
    parameters: Vec<Option<String>>,
}

/// A script of one transaction.
pub(super) struct Script {
    pub(super) text: String,
    /// What the script finds set.
    pub(super) variables: Vec<(String, String)>,
    /// Messages of the commit in the log.
    pub(super) logged: usize,
    /// Statements of the script.
    pub(super) statements: usize,
}

/// The transactions in the log that wrote a page.
pub(super) fn transactions(log: &str) -> Result<Vec<Vec<Statement>>> {
    let mut sessions: BTreeMap<&str, Vec<Statement>> = BTreeMap::new();
    let mut found = Vec::new();
    for line in log.lines() {
        let Some((prefix, message)) = line.split_once("] ") else {
            continue;
        };
        let Some((_, session)) = prefix.rsplit_once('[') else {
            continue;
        };
        let open = sessions.entry(session).or_default();
        if let Some(details) = message.strip_prefix("DETAIL:  ").and_then(of_parameters) {
            let last = open.last_mut().context("parameters without a statement")?;
            last.parameters = parameters(details)?;
            continue;
        }
        let Some(sql) = statement(message) else { continue };
        if sql.starts_with("BEGIN") {
            open.clear();
        }
        open.push(Statement {
            sql: sql.to_owned(),
            parameters: Vec::new(),
        });
        if sql == "COMMIT" {
            let whole = std::mem::take(open);
            if whole
                .iter()
                .any(|statement| statement.sql.starts_with("INSERT INTO pages"))
            {
                found.push(whole);
            }
        }
    }
    Ok(found)
}

/// `LOG:  statement: SQL` or `LOG:  execute NAME: SQL`.
fn statement(message: &str) -> Option<&str> {
    let said = message.strip_prefix("LOG:  ")?;
    said.strip_prefix("statement: ").or_else(|| {
        said.strip_prefix("execute ")?
            .split_once(": ")
            .map(|(_, sql)| sql)
    })
}

/// The word's case differs between releases.
fn of_parameters(details: &str) -> Option<&str> {
    details
        .strip_prefix("parameters: ")
        .or_else(|| details.strip_prefix("Parameters: "))
}

/// `$1 = 'text', $2 = NULL`, a quote within a text doubled.
fn parameters(details: &str) -> Result<Vec<Option<String>>> {
    let mut found = Vec::new();
    let mut rest = details;
    while !rest.is_empty() {
        let (_, value) = rest.split_once(" = ").context("a parameter without a value")?;
        if let Some(after) = value.strip_prefix("NULL") {
            found.push(None);
            rest = after;
        } else {
            let quoted = value.strip_prefix('\'').context("a parameter without quotes")?;
            let (mut text, mut left) = (String::new(), quoted);
            loop {
                let (part, after) = left.split_once('\'').context("a parameter without an end")?;
                text.push_str(part);
                left = after;
                let Some(after) = left.strip_prefix('\'') else {
                    break;
                };
                text.push('\'');
                left = after;
            }
            found.push(Some(text));
            rest = left;
        }
        rest = rest.strip_prefix(", ").unwrap_or(rest);
    }
    Ok(found)
}

impl Script {
    /// The script that does what the first of these transactions did, for every client and page.
    pub(super) fn of(transactions: &[Vec<Statement>], commits: &[Commit]) -> Result<Self> {
        let first = transactions.first().context("the log has no commit")?;
        let one = commits.first().context("there was no commit")?;
        ensure!(
            transactions.len() == commits.len(),
            "{} commits were logged as {} transactions",
            commits.len(),
            transactions.len()
        );
        for other in transactions {
            ensure!(
                other.iter().map(|s| &s.sql).eq(first.iter().map(|s| &s.sql)),
                "commits are not alike: {other:?} beside {first:?}"
            );
        }
        let mut writer = Writer {
            commits,
            ..Writer::default()
        };
        writer.names(one);
        for (index, statement) in first.iter().enumerate() {
            let mut values = Vec::new();
            for parameter in 0..statement.parameters.len() {
                let seen: Vec<Option<&str>> = transactions
                    .iter()
                    .filter_map(|other| other.get(index)?.parameters.get(parameter))
                    .map(Option::as_deref)
                    .collect();
                let value = writer.value(&seen);
                values.push(value.with_context(|| format!("${} of {}", parameter + 1, statement.sql))?);
            }
            writer.statement(&statement.sql, &values)?;
        }
        // BEGIN and the locks are one message of ours.
        ensure!(writer.statements == first.len() + 1, "statements were lost");
        Ok(Self {
            text: format!("{}{}", writer.settings, writer.body),
            variables: writer.variables,
            logged: first.len(),
            statements: writer.statements,
        })
    }
}

/// A variable of the script, and what it was in a commit.
type Name<T> = (&'static str, fn(&Commit) -> T);

#[derive(Default)]
struct Writer<'a> {
    commits: &'a [Commit],
    settings: String,
    body: String,
    variables: Vec<(String, String)>,
    statements: usize,
}

impl Writer<'_> {
    /// What differs from client to client and from page to page.
    fn names(&mut self, first: &Commit) {
        let now = first.before.as_microsecond();
        for (name, value) in [("seq", i64::from(first.seq) - 1), ("now", now), ("next", 0)] {
            self.variables.push((name.to_owned(), value.to_string()));
        }
        self.settings = format!(
            "\\set uid {SCAN} + :client_id\n\\set credential {CREDENTIAL} + :client_id\n\
             \\set holder {HOLDER} + :client_id\n\\set seq :seq + 1\n\\set before :now\n\\set now :now + 1000\n\
             \\if :next = 0\n\\set permit {PERMIT} + :client_id\n\\else\n\\set permit :next\n\\endif\n\
             \\set next random(600000000000000000, 999999999999999999)\n"
        );
    }

    fn statement(&mut self, sql: &str, values: &[String]) -> Result<()> {
        if let Some((begin, locks)) = sql.split_once("; ") {
            // One message of ours, and one round trip.
            let locks = self.locks(locks)?;
            let _ = write!(self.body, "\\startpipeline\n{begin};\n{locks};\n\\endpipeline\n");
            self.statements += 2;
            return Ok(());
        }
        let mut pieces = sql.split('$');
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
            let number: usize = piece.strip_suffix(rest).unwrap_or_default().parse()?;
            let value = number.checked_sub(1).and_then(|index| values.get(index));
            text.push_str(value.with_context(|| format!("${number} has no value: {sql}"))?);
            text.push_str(rest);
        }
        let _ = writeln!(self.body, "{text};");
        self.statements += 1;
        Ok(())
    }

    /// The scan's lock becomes the client's; the ledger's is shared by all.
    fn locks(&mut self, sql: &str) -> Result<String> {
        const CALL: &str = "pg_advisory_xact_lock(";
        let (before, rest) = sql.split_once(CALL).context("the scan is not locked")?;
        let (number, after) = rest.split_once(')').context("a call without an end")?;
        let number: i64 = number.parse()?;
        ensure!(!after.contains(CALL), "more than the scan is locked: {sql}");
        let _ = writeln!(self.settings, "\\set lock {number} + :client_id");
        Ok(format!("{before}{CALL}:lock){after}"))
    }

    /// A parameter, from what it was in each commit.
    fn value(&mut self, seen: &[Option<&str>]) -> Result<String> {
        if seen.iter().all(Option::is_none) {
            return Ok("NULL".to_owned());
        }
        let seen: Vec<&str> = seen
            .iter()
            .map(|value| value.context("it is NULL in one commit only"))
            .collect::<Result<_>>()?;
        let [first, second, ..] = seen[..] else {
            bail!("one commit says nothing of what changes")
        };
        if let Some(named) = self.named(&seen) {
            return Ok(named);
        }
        if seen.iter().all(|value| *value == first) {
            let parts = self.constant(first);
            return Ok(joined(&parts));
        }
        // The digits that differ, with all of their number.
        let start = common(first.chars(), second.chars());
        let end = common(first.chars().rev(), second.chars().rev());
        let head = first.get(..start).context("not cut at a letter")?;
        let head = head.trim_end_matches(|c: char| c.is_ascii_digit());
        let tail = first.get(first.len().saturating_sub(end)..).unwrap_or_default();
        let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
        let numbers: Vec<&str> = seen
            .iter()
            .map(|value| value.strip_prefix(head)?.strip_suffix(tail))
            .collect::<Option<_>>()
            .with_context(|| format!("it changes in more than one number: {seen:?}"))?;
        let number = self.number(&numbers)?;
        let mut parts = self.constant(head);
        parts.push(number);
        parts.extend(self.constant(tail));
        Ok(joined(&parts))
    }

    /// One of the names that pgbench has as a variable, or a time.
    fn named(&mut self, seen: &[&str]) -> Option<String> {
        let is = |of: fn(&Commit) -> String| {
            seen.iter()
                .zip(self.commits)
                .all(|(value, commit)| *value == of(commit))
        };
        let names: [Name<String>; 4] = [
            ("permit", |commit| commit.permit.clone()),
            ("next", |commit| commit.next.clone()),
            ("credential", |_| CREDENTIAL.to_string()),
            ("holder", |_| HOLDER.to_string()),
        ];
        if let Some((name, _)) = names.iter().find(|(_, of)| is(*of)) {
            return Some(format!(":{name}"));
        }
        let times: [Name<i64>; 2] = [
            ("now", |commit| commit.now.as_microsecond()),
            ("before", |commit| commit.before.as_microsecond()),
        ];
        let numbers: Vec<i64> = seen.iter().filter_map(|value| value.parse().ok()).collect();
        let changes = numbers
            .iter()
            .zip(numbers.iter().skip(1))
            .any(|(one, next)| one != next);
        if numbers.len() != seen.len() || !changes {
            return None;
        }
        let (base, offset) = times.iter().find_map(|(name, of)| {
            let mut offsets = numbers
                .iter()
                .zip(self.commits)
                .map(|(number, commit)| number - of(commit));
            let first = offsets.next()?;
            offsets.all(|offset| offset == first).then_some((*name, first))
        })?;
        if offset == 0 {
            return Some(format!(":{base}"));
        }
        // Added up by pgbench: the server would take the sum of two parameters without a type for a short integer.
        let name = format!("n{}", self.settings.lines().count());
        let _ = writeln!(self.settings, "\\set {name} :{base} + {offset}");
        Some(format!(":{name}"))
    }

    /// A number that grows by the same with every page.
    fn number(&mut self, seen: &[&str]) -> Result<String> {
        let numbers: Vec<i64> = seen.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let [one, two, ..] = numbers[..] else {
            bail!("one commit says nothing of what changes")
        };
        let by = two - one;
        let steady = numbers
            .iter()
            .zip(numbers.iter().skip(1))
            .all(|(one, next)| next - one == by);
        ensure!(steady, "it does not grow with the page's number: {seen:?}");
        let seq = self.commits.first().map_or(0, |commit| i64::from(commit.seq));
        let name = format!("n{}", self.settings.lines().count());
        let _ = writeln!(self.settings, "\\set {name} {} + {by} * :seq", one - by * seq);
        let width = seen.first().map_or(0, |text| text.len());
        let is_padded = seen
            .first()
            .is_some_and(|text| text.len() > 1 && text.starts_with('0'));
        Ok(if is_padded {
            format!("lpad(:{name}, {width}, '0')")
        } else {
            format!(":{name}")
        })
    }

    /// A constant text, with the client's own scan where it names the scan.
    fn constant(&mut self, text: &str) -> Vec<String> {
        let scan = SCAN.to_string();
        let mut parts = Vec::new();
        for (index, piece) in text.split(&scan).enumerate() {
            if index > 0 {
                parts.push(":uid".to_owned());
            }
            if piece.is_empty() {
                continue;
            }
            let known = self
                .variables
                .iter()
                .find(|(name, value)| name.starts_with('c') && value == piece);
            let name = match known {
                Some((name, _)) => name.clone(),
                None => format!("c{}", self.variables.len()),
            };
            parts.push(format!(":{name}"));
            if !self.variables.iter().any(|(other, _)| *other == name) {
                self.variables.push((name, piece.to_owned()));
            }
        }
        parts
    }
}

fn joined(parts: &[String]) -> String {
    match parts {
        [] => "''".to_owned(),
        [one] => one.clone(),
        several => {
            let casts: Vec<String> = several
                .iter()
                .map(|part| format!("CAST({part} AS TEXT)"))
                .collect();
            format!("({})", casts.join(" || "))
        }
    }
}

/// How many bytes both begin with, as long as these are ASCII.
fn common(one: impl Iterator<Item = char>, two: impl Iterator<Item = char>) -> usize {
    one.zip(two).take_while(|(a, b)| a == b && a.is_ascii()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_read_with_its_parameters_and_nobody_elses() {
        let log = "2026-01-01 10:00:00.000 UTC [7] LOG:  statement: BEGIN; SELECT 1\n\
                   2026-01-01 10:00:00.000 UTC [8] LOG:  statement: SELECT 2\n\
                   2026-01-01 10:00:00.001 UTC [7] LOG:  execute sqlx_s_1: INSERT INTO pages VALUES ($1, $2, $3)\n\
                   2026-01-01 10:00:00.001 UTC [7] DETAIL:  parameters: $1 = 'it''s, $2 = ', $2 = NULL, $3 = ''\n\
                   2026-01-01 10:00:00.002 UTC [7] LOG:  statement: COMMIT\n";
        let found = transactions(log).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].len(), 3);
        assert_eq!(
            found[0][1].parameters,
            [Some("it's, $2 = ".to_owned()), None, Some(String::new())]
        );
    }
}
