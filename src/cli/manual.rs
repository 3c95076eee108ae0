//! `rollover completions` and `rollover man`: made from the same definition as the help, so that they
//! cannot say something else; the two pages on file formats are written by hand.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Failure;
use super::args::Cli;
use crate::durable::{self, Access};

/// The pages of section 5, by their file names.
const FORMATS: [(&str, &str); 2] = [
    ("rollover.toml.5", include_str!("../../docs/man/rollover.toml.5")),
    ("rollover-policy.5", include_str!("../../docs/man/rollover-policy.5")),
];

/// Prints the completions of a shell.
pub(super) fn completions(shell: Shell, out: &mut dyn Write) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rollover", &mut text);
    // A reader that has seen enough, as `head`, is no failure.
    let _ = out.write_all(&text);
    Ok(())
}

/// Writes one page per command, and those on the configuration and on policies.
pub(super) fn write(directory: &Path) -> Result<(), Failure> {
    let broken = |what: String| Failure::Broken {
        message: format!("cannot write the man pages: {what}"),
        hint: "name a directory that this user can write to".to_owned(),
    };
    std::fs::create_dir_all(directory)
        .map_err(|error| broken(format!("`{}`: {error}", directory.display())))?;
    let mut command = Cli::command();
    command.build();
    let mut pages = Vec::new();
    render(&command, "rollover", &mut pages).map_err(|error| broken(error.to_string()))?;
    pages.extend(FORMATS.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())));
    for (name, text) in pages {
        durable::write(&directory.join(name), &text, Access::with_mode(0o644))
            .map_err(|error| broken(error.describe()))?;
    }
    Ok(())
}

/// The page of a command and those of the commands below it, by their file names.
fn render(
    command: &clap::Command,
    name: &str,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> std::io::Result<()> {
    // `help` has nothing to say that the pages do not.
    let below = || command.get_subcommands().filter(|below| below.get_name() != "help");
    for below in below() {
        render(below, &format!("{name}-{}", below.get_name()), pages)?;
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).manual("rollover").render(&mut text)?;
    text.extend_from_slice(b".SH SEE ALSO\n\\fBrollover\\fR(1), ");
    text.extend_from_slice(b"\\fBrollover.toml\\fR(5), \\fBrollover\\-policy\\fR(5)\n");
    pages.push((format!("{name}.1"), text));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_both_formats_have_a_page() {
        let directory = tempfile::tempdir().unwrap();
        write(&directory.path().join("man")).unwrap();
        for command in Cli::command().get_subcommands() {
            let page = directory.path().join(format!("man/rollover-{}.1", command.get_name()));
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            assert!(text.contains(".SH DESCRIPTION"), "{}", page.display());
        }
        for name in ["rollover.1", "rollover-policy-show.1", "rollover.toml.5", "rollover-policy.5"]
        {
            assert!(directory.path().join("man").join(name).exists(), "{name}");
        }
    }

    #[test]
    fn completions_know_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut out = Vec::new();
            completions(shell, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("history") && text.contains("compromised"), "{shell}");
        }
    }

    /// Every key of the template and of the example stands in its page.
    #[test]
    fn the_pages_on_formats_name_every_key() {
        let documents = [
            (FORMATS[0].1, include_str!("../../examples/rollover.toml")),
            (FORMATS[1].1, include_str!("../../policies/template.toml")),
        ];
        for (page, document) in documents {
            let page = page.replace("\\-", "-");
            for line in document.lines() {
                let line = line.strip_prefix("# ").unwrap_or(line);
                let Some((key, _)) = line.split_once(" = ") else { continue };
                if key.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                    assert!(page.contains(&format!(".B {key}\n")), "no entry for {key}");
                }
            }
        }
    }
}
