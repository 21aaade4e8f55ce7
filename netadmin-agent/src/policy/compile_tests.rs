use crate::policy::source::Source;
use netadmin_common::policy::{EXCEPTION_KIND, EXCEPTION_NAME, EXCEPTION_PREFIX, PROMISCUOUS_KILL};
use netadmin_common::value::MAX_RANGES;

use super::*;
use crate::policy::load_source;

fn compiled(rules: &str) -> CompiledPolicy {
    let text =
        format!("version = 1\n[[policy]]\nname = \"p\"\nmatch.cgroups = [\"/a\"]\n{rules}\n");
    let name = "policy.toml".to_owned();
    let loaded = load_source(Source { name, text }).expect(rules);
    loaded.set.policies.into_iter().next().expect("a policy")
}

fn option(option: SocketOption, rule: &str) -> (u32, String) {
    let policy = compiled(&format!("setsockopt.{} = {rule}", option.name()));
    let record = &policy.record.options[option as usize];
    let others = SocketOption::ALL
        .into_iter()
        .filter(|other| *other != option);
    for other in others {
        assert_eq!(policy.record.options[other as usize].rule, OPTION_FREE);
    }
    (
        record.rule,
        Values::from_record(&record.allowed).to_string(),
    )
}

#[test]
fn priority_is_the_kernels_line_only_where_the_set_is_exactly_that() {
    use SocketOption::Priority;
    let kernel_line = (OPTION_KERNEL_LINE, "nothing".to_owned());
    assert_eq!(option(Priority, "{ allow = ['0..=6'] }"), kernel_line);
    assert_eq!(
        option(Priority, "{ allow = [0, 1, 2, '3..=6'] }"),
        kernel_line
    );
    assert_eq!(option(Priority, "{ deny = ['<0', '>6'] }"), kernel_line);
    let values = |text: &str| (OPTION_VALUES, text.to_owned());
    assert_eq!(option(Priority, "{ allow = ['0..=5'] }"), values("0..=5"));
    assert_eq!(option(Priority, "{ allow = ['0..=7'] }"), values("0..=7"));
    assert_eq!(option(Priority, "'deny'"), values("nothing"));
}

#[test]
fn a_deny_needs_no_value_where_the_kernel_always_asks() {
    use SocketOption::{Debug, Mark, RcvBufForce, SndBufForce};
    let deny = (OPTION_DENY, "nothing".to_owned());
    for always_asked in [SndBufForce, RcvBufForce, Mark] {
        assert_eq!(option(always_asked, "'deny'"), deny);
        assert_eq!(option(always_asked, "{ allow = [] }"), deny);
    }
    assert_eq!(option(Debug, "'deny'"), deny);
    assert_eq!(option(Debug, "{ allow = [0] }"), deny);
    let nothing = (OPTION_VALUES, "nothing".to_owned());
    assert_eq!(option(Debug, "{ allow = [] }"), nothing);
}

#[test]
fn a_set_of_all_values_is_no_rule() {
    for each in SocketOption::ALL {
        let free = (OPTION_FREE, "nothing".to_owned());
        assert_eq!(option(each, "'allow'"), free);
        assert_eq!(option(each, "{ deny = [] }"), free);
        assert_eq!(option(each, "{ allow = ['<=9', '>=10'] }"), free);
    }
}

#[test]
fn deny_beats_allow() {
    let rule = "{ allow = ['>0'], deny = ['>=6', 3] }";
    let expected = (OPTION_VALUES, "1..=2, 4..=5".to_owned());
    assert_eq!(option(SocketOption::Mark, rule), expected);
}

#[test]
fn sixteen_ranges_are_kept_whole() {
    let entries: Vec<String> = (0..MAX_RANGES).map(|at| (at * 2).to_string()).collect();
    let rule = format!("{{ allow = [{}] }}", entries.join(", "));
    let (kind, values) = option(SocketOption::Mark, &rule);
    assert_eq!((kind, values), (OPTION_VALUES, entries.join(", ")));
}

#[test]
fn promiscuous_words_become_bits() {
    let flags = |rules: &str| {
        let text = format!("[policy.promiscuous]\n{rules}");
        compiled(&text).record.promiscuous.flags
    };
    assert_eq!(flags("default = 'allow'"), 0);
    assert_eq!(flags("default = 'deny'"), PROMISCUOUS_DENY);
    assert_eq!(
        flags("default = 'deny'\nkeep = 'deny'\nside_effects = 'allow'"),
        PROMISCUOUS_DENY | PROMISCUOUS_KEEP_DENY | PROMISCUOUS_SIDE_EFFECTS_ALLOW
    );
    let on_breach = |word| flags(&format!("default = 'deny'\non_breach = '{word}'"));
    assert_eq!(on_breach("report"), PROMISCUOUS_DENY);
    assert_eq!(on_breach("kill"), PROMISCUOUS_DENY | PROMISCUOUS_KILL);
    assert_eq!(
        flags("default = 'deny'\nallow = [{ kind = 'tun' }]"),
        PROMISCUOUS_DENY
    );
    assert_eq!(
        flags("default = 'deny'\nallow = [{ kind = 'tun' }, 'tap*']"),
        PROMISCUOUS_DENY | PROMISCUOUS_NAMES_EXCEPTED
    );
}

#[test]
fn exceptions_keep_their_order() {
    let rules = "promiscuous = { default = 'deny', allow = [{ kind = 'tun' }, 'tap*', 'eth1'] }";
    let record = compiled(rules).record.promiscuous;
    let by: Vec<u32> = record.exceptions.iter().map(|entry| entry.by).collect();
    assert_eq!(record.len, 3);
    assert_eq!(by[..3], [EXCEPTION_KIND, EXCEPTION_PREFIX, EXCEPTION_NAME]);
}

#[test]
fn the_value_program_is_needed_for_memberships_and_value_rules_only() {
    for (rules, needed) in [
        ("", false),
        ("mode = 'audit'", false),
        ("setsockopt.SO_PRIORITY = { allow = ['0..=6'] }", false),
        ("setsockopt.SO_MARK = 'deny'", false),
        ("setsockopt.SO_MARK = { deny = [13] }", true),
        ("promiscuous.default = 'allow'", false),
        ("promiscuous.default = 'deny'", true),
    ] {
        assert_eq!(compiled(rules).needs_value_program(), needed, "{rules}");
    }
}

#[test]
fn the_mode_is_enforce_unless_the_file_says_audit() {
    assert_eq!(compiled("").record.mode, MODE_ENFORCE);
    assert_eq!(compiled("mode = 'enforce'").record.mode, MODE_ENFORCE);
    assert_eq!(compiled("mode = 'audit'").record.mode, MODE_AUDIT);
}
