//! Accounts, sessions and what ends them, over a store in memory.

use std::sync::Arc;

use super::*;
use crate::access::{Access, Account, Actor, Login, NewToken, Role, SessionTimes, TOKENS};
use crate::identifier::{Identifier, Prefix};
use crate::record::Draft;
use crate::store::memory::MemoryStore;
use crate::store::{Store, find_document};

const NOW_MS: u64 = 1_767_225_600_000;
const PASSWORD: &str = "correct horse battery";

struct Fixture {
    registry: Registry,
    access: Access,
    store: Arc<dyn Store>,
    admin: Actor,
}

fn fixture() -> Fixture {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let keys = Arc::new(NodeKeys::from_seeds(&[1; 32], [2; 32]));
    let token = NewToken {
        secret: "a secret of the administrator".into(),
        account: "admin".into(),
        actions: crate::access::Actions::all(),
        prefixes: None,
        expires_ms: None,
    };
    let prefixes = vec![Prefix::parse("88.118").unwrap()];
    let first = Seed { origin: "node.example".into(), prefixes, token };
    seed(&*store, &keys, &first, NOW_MS).unwrap();
    let resolver = Arc::new(Resolver::open(Arc::clone(&store), 1 << 20).unwrap());
    let access = Access::new(Arc::clone(&store));
    let settings = Settings { uses: Arc::clone(access.uses()), ..Settings::default() };
    let clock = Clock::fixed(NOW_MS);
    let registry = Registry::open(Arc::clone(&store), resolver, keys, clock, settings).unwrap();
    let admin = access.authenticate("a secret of the administrator", NOW_MS).unwrap().unwrap();
    Fixture { registry, access, store, admin }
}

impl Fixture {
    fn apply(&self, actor: &Actor, command: AccountCommand) -> Result<Receipt, RegistryError> {
        self.registry.apply(actor, &Request::new(Command::Account(command)), NOW_MS)
    }

    fn make(&self, name: &str, role: Role) {
        let random = ring::rand::SystemRandom::new();
        let password = crate::access::Password::new(PASSWORD, name).unwrap();
        let password = Some(password.hash(&random).unwrap());
        let name = name.to_owned();
        let create = AccountCommand::Create { name, role, registrant: None, password };
        self.apply(&self.admin, create).unwrap();
    }

    fn login(&self, name: &str) -> Option<Login> {
        let random = ring::rand::SystemRandom::new();
        self.access.log_in(name, PASSWORD, SessionTimes::default(), &random, NOW_MS).unwrap()
    }

    fn begin(&self, name: &str) -> Actor {
        let Login { actor, proof, .. } = self.login(name).unwrap();
        self.apply(&actor, AccountCommand::BeginSession(proof)).unwrap();
        actor
    }

    fn account(&self, name: &str) -> Account {
        find_document::<Account>(&*self.store, name).unwrap().unwrap().content
    }
}

fn disable(name: &str) -> AccountCommand {
    AccountCommand::SetDisabled { name: name.into(), disabled: true }
}

fn put(suffix: &str) -> Request {
    let identifier = Identifier::parse(&format!("88.118/{suffix}")).unwrap();
    let draft = Draft::from_json(br#"{"attributes":{"a":"b"}}"#).unwrap();
    Request::new(Command::Put { identifier, draft, condition: Condition::Always })
}

#[test]
fn changes_under_way_end_with_their_account() {
    let node = fixture();
    node.make("li", Role::Operator);
    let li = node.begin("li");
    node.registry.apply(&li, &put("1"), NOW_MS).unwrap();
    node.apply(&node.admin, disable("li")).unwrap();
    // The actor was good when it was authenticated; neither the first nor a further plan passes.
    let Ok(Plan::Change(change)) = node.registry.plan(&li, &put("2"), NOW_MS) else { panic!() };
    let (send, receive) = std::sync::mpsc::channel();
    let done = Box::new(move |verdicts: Vec<Verdict>| send.send(verdicts).unwrap());
    node.registry.submit(vec![*change], done).unwrap();
    assert!(matches!(receive.recv().unwrap()[..], [Verdict::Conflict]));
    let again = node.registry.apply(&li, &put("2"), NOW_MS);
    assert!(matches!(again, Err(RegistryError::Ended)), "{again:?}");
}

#[test]
fn a_session_begins_only_while_its_proof_holds() {
    let node = fixture();
    node.make("li", Role::Operator);
    let Login { actor, proof, .. } = node.login("li").unwrap();
    node.apply(&node.admin, disable("li")).unwrap();
    let begun = node.apply(&actor, AccountCommand::BeginSession(proof));
    assert!(matches!(begun, Err(RegistryError::Ended)), "{begun:?}");
    assert!(node.login("li").is_none(), "disabled");
    let enable = AccountCommand::SetDisabled { name: "li".into(), disabled: false };
    node.apply(&node.admin, enable).unwrap();
    let old = node.begin("li");
    let Login { actor, proof, .. } = node.login("li").unwrap();
    let password = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$c29tZWhhc2g".to_owned();
    let set = AccountCommand::SetPassword { name: "li".into(), password, proof: None };
    node.apply(&node.admin, set).unwrap();
    let begun = node.apply(&actor, AccountCommand::BeginSession(proof));
    assert!(matches!(begun, Err(RegistryError::Ended)), "{begun:?}");
    assert!(old.renew(&*node.store, NOW_MS).unwrap().is_none(), "an old session goes on");
}

#[test]
fn weak_hashes_are_made_anew_at_a_login() {
    let node = fixture();
    node.make("li", Role::Operator);
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(Default::default(), Default::default(), params);
    let weak =
        argon2::PasswordHasher::hash_password_with_salt(&argon2, PASSWORD.as_bytes(), &[7; 16]);
    let password = weak.unwrap().to_string();
    let set = AccountCommand::SetPassword { name: "li".into(), password, proof: None };
    node.apply(&node.admin, set).unwrap();
    let size = node.registry.ledger_size();
    node.begin("li");
    assert!(node.account("li").password.unwrap().contains("m=19456"));
    assert_eq!(node.registry.ledger_size(), size, "a session is no change of the registry");
    node.begin("li");
}

#[test]
fn last_uses_are_on_the_disk_when_the_writer_ends() {
    let node = fixture();
    node.access.authenticate("a secret of the administrator", NOW_MS + 5).unwrap().unwrap();
    node.registry.close();
    let (_, token) = node.admin.token();
    let fresh = Access::new(Arc::clone(&node.store));
    assert_eq!(fresh.last_use_ms(token).unwrap(), Some(NOW_MS + 5));
}

#[test]
fn a_session_ends_and_leaves_no_row() {
    let node = fixture();
    node.make("li", Role::Operator);
    let li = node.begin("li");
    let (digest, token) = li.token();
    assert!(TOKENS.get(&*node.store, digest).unwrap().is_some());
    let revoke = Command::RevokeToken { id: token.id.clone() };
    node.registry.apply(&node.admin, &Request::new(revoke), NOW_MS).unwrap();
    assert!(TOKENS.get(&*node.store, digest).unwrap().is_none());
    let other = node.begin("li");
    node.apply(&other, AccountCommand::EndSession).unwrap();
    assert!(TOKENS.get(&*node.store, other.token().0).unwrap().is_none());
    let report = {
        node.registry.close();
        check(&*node.store.snapshot(), &NodeKeys::from_seeds(&[1; 32], [2; 32]), &mut |_| {})
    };
    assert_eq!(report.unwrap().findings, []);
}

#[test]
fn stores_without_accounts_work_by_name() {
    let node = fixture();
    let mut transaction = node.store.begin();
    let key =
        crate::store::DocumentKey { kind: crate::store::DocumentKind::Account, id: "admin".into() };
    transaction.delete(crate::store::ColumnId::Documents, &crate::store::key_bytes(&key));
    transaction.commit().unwrap();
    let admin = node.access.authenticate("a secret of the administrator", NOW_MS);
    let admin = admin.unwrap().unwrap();
    assert_eq!(admin.role(), Role::PlatformAdministrator);
    node.registry.apply(&admin, &put("1"), NOW_MS).unwrap();
    let create = AccountCommand::Create {
        name: "admin".into(),
        role: Role::PlatformAdministrator,
        registrant: None,
        password: None,
    };
    node.apply(&admin, create).unwrap();
}
