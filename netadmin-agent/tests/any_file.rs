//! No file makes the reader of policies panic, whatever is in it.

use netadmin_agent::policy::source::Source;
use netadmin_agent::policy::{self, LoadError};
use proptest::prelude::*;

const WHOLE: &str = include_str!("../../examples/policies/vpn-sidecar.toml");

/// Reads a text, and writes out all that is to say of it.
fn read(text: String) {
    let source = Source {
        name: "any.toml".to_owned(),
        text,
    };
    match policy::load_source(source) {
        Ok(loaded) => {
            let _ = loaded.warnings.render(false);
            let _ = loaded.set.policy_for("/a/b");
            for policy in &loaded.set.policies {
                let _ = policy::summary::summarize(policy);
            }
        }
        Err(LoadError::Faulty(report)) => {
            assert!(!report.is_empty());
            let _ = report.render(true);
        }
        Err(LoadError::Empty { .. }) => {}
        Err(error) => panic!("reading a text cannot fail like this: {error}"),
    }
}

/// Words of policy files, in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "version",
        "=",
        "1",
        "\n",
        "[[policy]]",
        "[policy.promiscuous]",
        "[policy.setsockopt]",
        "name",
        "\"cnf\"",
        "match.cgroups",
        "match",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\"/a/**\"",
        "\"/\"",
        "default",
        "\"deny\"",
        "\"allow\"",
        "allow",
        "deny",
        "keep",
        "kind",
        "SO_MARK",
        "\"0..=6\"",
        "SO_PRIORITY",
        "\">0\"",
        "0xffffffff",
        "-1",
        "99999999999999999999",
        "1.5",
        "'ä\u{1f600}'",
        "\"\"\"",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_text(text in any::<String>()) {
        read(text);
    }

    #[test]
    fn any_words_of_policy_files(text in words()) {
        read(format!("version = 1\n{text}"));
    }

    #[test]
    fn a_good_file_with_a_piece_replaced(
        at in any::<prop::sample::Index>(),
        len in 0usize..20,
        piece in prop_oneof![any::<String>(), words()],
    ) {
        let characters: Vec<char> = WHOLE.chars().collect();
        let from = at.index(characters.len());
        let to = (from + len).min(characters.len());
        let (before, after) = (&characters[..from], &characters[to..]);
        read(before.iter().copied().chain(piece.chars()).chain(after.iter().copied()).collect());
    }

    #[test]
    fn any_bytes_in_a_file(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("policy.toml");
        std::fs::write(&path, bytes).expect("written");
        let _ = policy::load(&path).map_err(|error| error.to_string());
    }
}
