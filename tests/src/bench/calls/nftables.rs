//! A batch of rules, as `nft -f` sends it.

use std::io;

use super::{Prepared, send};
use netadmin_bypass::attack::netlink::{
    Message, NLM_F_CREATE, acknowledgements, datagram, try_receive,
};
use netadmin_bypass::attack::sockopt::open_socket;

/// linux/netfilter/nfnetlink.h.
const NFNL_MSG_BATCH_BEGIN: u16 = 0x10;
const NFNL_MSG_BATCH_END: u16 = 0x11;
const NFNL_SUBSYS_NFTABLES: u8 = 10;

/// linux/netfilter/nf_tables.h.
const NFT_MSG_NEWTABLE: u8 = 0;
const NFT_MSG_DELTABLE: u8 = 2;
const NFT_MSG_NEWCHAIN: u8 = 3;
const NFT_MSG_NEWRULE: u8 = 6;
const NFTA_NAME: u16 = 1;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;

const NLM_F_APPEND: u16 = 0x800;

const TABLE: &str = "bench";
const CHAIN: &str = "rules";

/// One table with one chain of so many rules, in the place of the one before.
pub fn batch(rules: usize) -> io::Result<Prepared> {
    let socket = open_socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)?;
    let request = datagram(&messages(rules));
    Ok(Box::new(move || {
        send(&socket, &request)?;
        let answers = acknowledgements(&try_receive(&socket)?);
        match answers.iter().find(|(_, errno)| *errno != 0) {
            Some((_, errno)) => Err(io::Error::from_raw_os_error(*errno)),
            None => Ok(()),
        }
    }))
}

fn messages(rules: usize) -> Vec<Message> {
    let rule = of_nftables(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND)
        .text(NFTA_RULE_TABLE, TABLE)
        .text(NFTA_RULE_CHAIN, CHAIN);
    let chain = of_nftables(NFT_MSG_NEWCHAIN, NLM_F_CREATE)
        .text(NFTA_CHAIN_TABLE, TABLE)
        .text(NFTA_CHAIN_NAME, CHAIN);
    let table = |kind, flags| of_nftables(kind, flags).text(NFTA_NAME, TABLE);
    let mut messages = vec![
        limit(NFNL_MSG_BATCH_BEGIN),
        table(NFT_MSG_NEWTABLE, NLM_F_CREATE),
        table(NFT_MSG_DELTABLE, 0),
        table(NFT_MSG_NEWTABLE, NLM_F_CREATE),
        chain,
    ];
    messages.extend(std::iter::repeat_n(rule, rules));
    messages.push(limit(NFNL_MSG_BATCH_END));
    messages
}

fn of_nftables(kind: u8, flags: u16) -> Message {
    let kind = u16::from_be_bytes([NFNL_SUBSYS_NFTABLES, kind]);
    let family = u8::try_from(libc::AF_INET).unwrap_or_default();
    // `struct nfgenmsg`.
    Message::new(kind, flags, &[family, 0, 0, 0])
}

/// The beginning or the end of a batch for nftables.
fn limit(kind: u16) -> Message {
    Message::new(kind, 0, &[0, 0, 0, NFNL_SUBSYS_NFTABLES])
}
