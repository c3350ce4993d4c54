//! The first entries of a ledger: what a new node is given, and what a restored one goes on from.

use std::sync::Arc;

use serde_json::json;

use super::entry::body_entry;
use super::plan::{DocumentPlan, new_token, token_body};
use super::submit::Effect;
use super::{Receipt, RegistryError};
use crate::access::{Account, Authority, NewToken, Role};
use crate::identifier::Prefix;
use crate::ledger::{
    Appender, EntryKind, LogRow, current_log, log_end, start_log, subject_of_node,
};
use crate::registrant::Allocation;
use crate::signing::NodeKeys;
use crate::store::Store;

/// What a new node is given.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Host and path under which the ledger is published, without `/log/…`.
    pub origin: String,
    /// Prefixes the node is responsible for.
    pub prefixes: Vec<Prefix>,
    /// The first token, which may do everything; its account runs the node.
    pub token: NewToken,
}

/// Gives a new store its first log, prefixes, account and token, in one transaction; false when it has a
/// ledger already, in which case nothing happens.
pub fn seed(
    store: &dyn Store,
    keys: &Arc<NodeKeys>,
    seed: &Seed,
    now_ms: u64,
) -> Result<bool, RegistryError> {
    if current_log(store)?.is_some() {
        return Ok(false);
    }
    let authority = Authority::of_the_operator();
    let mut transaction = store.begin();
    let log = LogRow::first(&seed.origin, keys, now_ms);
    start_log(&mut *transaction, &log);
    let mut appender = Appender::open(store, log, Arc::clone(keys))?;
    for prefix in &seed.prefixes {
        let effect = prefix_effect(keys, prefix, &authority, now_ms);
        effect.write(&mut *transaction, &mut appender);
    }
    let account = account_effect(keys, &seed.token.account, &authority, now_ms);
    account.write(&mut *transaction, &mut appender);
    token_effect(keys, &seed.token, &authority, now_ms)?.write(&mut *transaction, &mut appender);
    appender.write_checkpoint(&mut *transaction, now_ms);
    transaction.commit()?;
    Ok(true)
}

/// Makes a token without a running node, for an operator who lost all others; its public name.
pub fn create_token_offline(
    store: &dyn Store,
    keys: &Arc<NodeKeys>,
    new: &NewToken,
    now_ms: u64,
) -> Result<String, RegistryError> {
    let log = current_log(store)?.ok_or(RegistryError::Unseeded)?;
    let mut appender = Appender::open(store, log, Arc::clone(keys))?;
    let effect = token_effect(keys, new, &Authority::of_the_operator(), now_ms)?;
    let mut transaction = store.begin();
    let receipt = effect.write(&mut *transaction, &mut appender);
    appender.write_checkpoint(&mut *transaction, now_ms);
    transaction.commit()?;
    match receipt {
        Receipt::Token { id } => Ok(id),
        _ => Ok(String::new()),
    }
}

/// Starts the next generation of the ledger, for a store that may lack entries its old log had:
/// the old log's name is never signed for again, and the first entry says where it stood.
pub fn begin_generation(
    store: &dyn Store,
    keys: &Arc<NodeKeys>,
    now_ms: u64,
) -> Result<LogRow, RegistryError> {
    let old = current_log(store)?.ok_or(RegistryError::Unseeded)?;
    let predecessor = log_end(store, &old)?;
    let log = old.next(predecessor, keys, now_ms);
    let entry = body_entry(
        keys,
        EntryKind::Epoch,
        subject_of_node("epoch"),
        u64::from(log.generation),
        None,
        now_ms,
        Authority::of_the_operator().account(),
        "restored from a backup",
        &json!({
            "previous_origin": old.origin,
            "previous_root": data_encoding::BASE64.encode(&predecessor.root),
            "previous_size": predecessor.size,
        }),
    );
    let mut transaction = store.begin();
    start_log(&mut *transaction, &log);
    let mut appender = Appender::open(store, log.clone(), Arc::clone(keys))?;
    entry.write(&mut *transaction, &mut appender);
    appender.write_checkpoint(&mut *transaction, now_ms);
    transaction.commit()?;
    Ok(log)
}

fn prefix_effect(keys: &NodeKeys, prefix: &Prefix, authority: &Authority, now_ms: u64) -> Effect {
    first_version(keys, authority, now_ms).put_prefix(prefix, None, &Allocation::own())
}

/// The first account, which runs the node and has no password yet.
fn account_effect(keys: &NodeKeys, name: &str, authority: &Authority, now_ms: u64) -> Effect {
    let account = Account::new(Role::PlatformAdministrator, None, None);
    first_version(keys, authority, now_ms).put(EntryKind::Grant, name, None, &account)
}

fn first_version<'a>(
    keys: &'a NodeKeys,
    authority: &'a Authority,
    now_ms: u64,
) -> DocumentPlan<'a> {
    let reason = "seeded at the node's first start";
    DocumentPlan { keys, actor: authority.account(), reason, now_ms }
}

fn token_effect(
    keys: &NodeKeys,
    new: &NewToken,
    authority: &Authority,
    now_ms: u64,
) -> Result<Effect, RegistryError> {
    let (digest, token) = new_token(new, now_ms)?;
    let entry = body_entry(
        keys,
        EntryKind::Grant,
        subject_of_node(&format!("token/{}", token.id)),
        1,
        None,
        now_ms,
        authority.account(),
        "",
        &token_body(&token),
    );
    Ok(Effect::Token { digest, token, entry })
}
