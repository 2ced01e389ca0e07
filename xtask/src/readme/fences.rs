//! Reads the `sh` fences of a Markdown document.

use anyhow::{Result, bail};

/// What to do with a fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    Run,
    NoRun(String),
}

/// A fence of shell commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fence {
    /// Line of the opening fence, from 1.
    pub(super) line: usize,
    pub(super) rule: Rule,
    body: Vec<String>,
}

/// What is left of a fence once nothing in it starts the battery again.
pub(super) struct Script {
    pub(super) text: String,
    pub(super) left_out: Vec<String>,
}

/// Commands that run the README themselves.
const RECURSIVE: [&str; 3] = ["cargo xtask test", "cargo xtask readme", ".ci/run"];

/// Words that mark a fence as commands elsewhere. Here they would be commands nobody runs.
const OTHER_SHELLS: [&str; 5] = ["bash", "console", "shell", "shell-session", "zsh"];

impl Fence {
    pub(super) fn script_without_recursion(&self) -> Script {
        let recursive = |line: &&String| {
            let line = line.trim_start();
            !line.starts_with('#') && RECURSIVE.iter().any(|command| line.contains(command))
        };
        let (left_out, kept): (Vec<&String>, Vec<&String>) = self.body.iter().partition(recursive);
        Script {
            text: kept.into_iter().flat_map(|line| [line.as_str(), "\n"]).collect(),
            left_out: left_out.into_iter().map(|line| line.trim().to_owned()).collect(),
        }
    }
}

/// The `sh` fences in order.
///
/// # Errors
/// A fence that is never closed, shell commands marked otherwise than `sh`, and a mark beside `sh` that is not
/// `no_run: <reason>`: each would leave a command unrun without anyone having said so.
pub(super) fn parse(document: &str) -> Result<Vec<Fence>> {
    let mut fences = Vec::new();
    let mut lines = (1..).zip(document.lines());
    while let Some((opened_at, opening)) = lines.next() {
        let indentation = opening.len() - opening.trim_start().len();
        let opening = opening.trim();
        let ticks = opening.bytes().take_while(|byte| *byte == b'`').count();
        if ticks < 3 {
            continue;
        }
        let mut body = Vec::new();
        loop {
            let Some((_, line)) = lines.next() else {
                bail!("the fence at line {opened_at} is never closed")
            };
            let text = line.trim();
            if text.len() >= ticks && text.bytes().all(|byte| byte == b'`') {
                break;
            }
            let own_indentation = line.len() - line.trim_start().len();
            body.push(
                line.get(indentation.min(own_indentation)..)
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
        let mark = opening.trim_start_matches('`').trim();
        if let Some(rule) = rule(mark, opened_at)? {
            fences.push(Fence {
                line: opened_at,
                rule,
                body,
            });
        }
    }
    Ok(fences)
}

fn rule(mark: &str, line: usize) -> Result<Option<Rule>> {
    let (language, rest) = mark.split_once(char::is_whitespace).unwrap_or((mark, ""));
    if OTHER_SHELLS.contains(&language) {
        bail!(
            "the fence at line {line} is marked `{language}`: mark commands `sh`, so that they are run, and output `text`"
        );
    }
    if language != "sh" {
        return Ok(None);
    }
    let rest = rest.trim();
    if rest.is_empty() {
        return Ok(Some(Rule::Run));
    }
    match rest.strip_prefix("no_run:").map(str::trim) {
        Some(reason) if !reason.is_empty() => Ok(Some(Rule::NoRun(reason.to_owned()))),
        _ => bail!("the fence at line {line} is marked `{mark}`: write `sh`, or `sh no_run: <reason>`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# Title\n\n```sh\necho one\n  echo two\n```\n\n```text\n```sh is quoted here\n```\n\n\
        ```sh no_run: needs a cluster\nkubectl get scans\n```\n\n1. list\n   ```sh\n   cat <<E\n     x\n   E\n   ```\n";

    #[test]
    fn sh_fences_are_read_in_order_with_their_line_and_indentation() {
        let fences = parse(DOCUMENT).unwrap();
        let lines: Vec<usize> = fences.iter().map(|fence| fence.line).collect();
        assert_eq!(lines, [3, 12, 17]);
        assert_eq!(fences[0].body, ["echo one", "  echo two"]);
        assert_eq!(fences[1].rule, Rule::NoRun("needs a cluster".to_owned()));
        assert_eq!(fences[2].body, ["cat <<E", "  x", "E"]);
    }

    #[test]
    fn a_longer_fence_holds_a_shorter_one() {
        let fences = parse("````text\n```sh\nrm -r x\n```\n````\n```sh\ntrue\n```\n").unwrap();
        assert_eq!(fences.len(), 1);
        assert_eq!(fences[0].body, ["true"]);
    }

    #[test]
    fn what_would_leave_a_command_unrun_is_an_error() {
        for (document, complaint) in [
            ("```sh\ntrue\n", "never closed"),
            ("```bash\ntrue\n```\n", "marked `bash`"),
            ("```sh no_run\ntrue\n```\n", "no_run: <reason>"),
            ("```sh no_run: \ntrue\n```\n", "no_run: <reason>"),
            ("```sh ignore\ntrue\n```\n", "marked `sh ignore`"),
        ] {
            let error = parse(document).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn lines_that_would_start_the_battery_again_are_left_out_and_named() {
        let fences = parse(
            "```sh\n# cargo xtask test runs this\ncargo xtask test --all\nCI=true ./.ci/run\necho x\n```\n",
        )
        .unwrap();
        let script = fences[0].script_without_recursion();
        assert_eq!(script.left_out, ["cargo xtask test --all", "CI=true ./.ci/run"]);
        assert_eq!(script.text, "# cargo xtask test runs this\necho x\n");
    }
}
