//! What is asked in the model test: drawn by chance from few names, so that requests meet.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Admin,
    Reviewer,
    Acme,
    Zhang,
}

impl Who {
    pub const ALL: [Who; 4] = [Who::Admin, Who::Reviewer, Who::Acme, Who::Zhang];

    pub fn registrant(self) -> Option<&'static str> {
        match self {
            Who::Admin | Who::Reviewer => None,
            Who::Acme => Some("acme"),
            Who::Zhang => Some("zhang"),
        }
    }

    /// Whether it may change what belongs to `holder`.
    pub fn reaches(self, holder: Option<&str>) -> bool {
        self == Who::Admin || (self.registrant().is_some() && self.registrant() == holder)
    }

    /// Whether it may speak for a side of a transfer.
    pub fn transfers(self, side: Option<&str>) -> bool {
        self != Who::Reviewer && self.registrant() == side
    }

    pub fn reviews(self) -> bool {
        matches!(self, Who::Admin | Who::Reviewer)
    }
}

/// What the record of a registration is to hold.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    pub template: Option<String>,
    serial: Option<&'static str>,
    size: Option<u8>,
    see: Option<String>,
}

impl Filled {
    pub fn attributes(&self) -> BTreeMap<String, String> {
        let serial = self.serial.map(|serial| ("serial", serial.to_owned()));
        let size = self.size.map(|size| ("size", size.to_string()));
        let see = self.see.clone().map(|see| ("see", see));
        let all = [serial, size, see].into_iter().flatten();
        all.map(|(name, text)| (name.to_owned(), text)).collect()
    }

    fn draft(&self) -> Draft {
        let mut attributes = json!({});
        for (name, text) in self.attributes() {
            attributes[&name] = if name == "size" { json!(self.size) } else { text.into() };
        }
        let mut body = json!({"attributes": attributes});
        if let Some(template) = &self.template {
            body["template"] = template.as_str().into();
        }
        Draft::from_json(body.to_string().as_bytes()).unwrap()
    }
}

#[derive(Clone, Debug)]
pub(super) enum Ask {
    Put {
        id: String,
        filled: Filled,
        condition: Condition,
    },
    Patch {
        id: String,
        serial: Option<&'static str>,
        size: Option<Option<u8>>,
        follow: Option<String>,
        condition: Condition,
    },
    Retire {
        id: String,
        condition: Condition,
    },
    Restore {
        id: String,
        version: u64,
        condition: Condition,
    },
    Mint {
        prefix: String,
        filled: Filled,
    },
    /// All or none.
    Batch(Vec<Ask>),
    /// One by one, of records that are not alike and follow no template.
    All(Vec<Ask>),
    Draft {
        id: String,
        shape: usize,
    },
    Publish {
        id: String,
    },
    Withdraw {
        id: String,
    },
    Wish {
        prefix: String,
        registrant: Option<&'static str>,
    },
    NextBelow {
        parent: String,
        registrant: Option<&'static str>,
    },
    Step {
        prefix: String,
        step: Step,
    },
    Amend {
        prefix: String,
        quota: Option<u64>,
    },
    /// Suspends a registrant or lets it go on.
    Registrant {
        id: &'static str,
        active: bool,
    },
    Offer {
        to: &'static str,
        prefixes: Vec<String>,
        identifiers: Vec<String>,
    },
    Decide {
        offer: usize,
        step: TransferStep,
    },
    Give {
        granter: Option<&'static str>,
        on_template: bool,
        subject: String,
        access: Access,
        grantee: Option<&'static str>,
        attributes: Vec<&'static str>,
    },
    Revoke {
        granter: Option<&'static str>,
        on_template: bool,
        subject: String,
        access: Access,
        grantee: Option<&'static str>,
    },
}

impl Ask {
    /// The key of the record it is about.
    pub fn key(&self) -> Option<String> {
        match self {
            Ask::Put { id, .. }
            | Ask::Patch { id, .. }
            | Ask::Retire { id, .. }
            | Ask::Restore { id, .. } => Some(id.to_ascii_uppercase()),
            _ => None,
        }
    }

    pub fn condition(&self) -> Condition {
        match self {
            Ask::Put { condition, .. }
            | Ask::Patch { condition, .. }
            | Ask::Retire { condition, .. }
            | Ask::Restore { condition, .. } => *condition,
            _ => Condition::Always,
        }
    }

    pub fn command(&self) -> Command {
        match self.clone() {
            Ask::Put { id, filled, condition } => {
                Command::Put { identifier: identifier(&id), draft: filled.draft(), condition }
            }
            Ask::Patch { id, serial, size, follow, condition } => {
                let patch = patch(serial, size, follow);
                Command::Patch { identifier: identifier(&id), patch, condition }
            }
            Ask::Retire { id, condition } => {
                Command::Retire { identifier: identifier(&id), condition }
            }
            Ask::Restore { id, version, condition } => {
                Command::Restore { identifier: identifier(&id), version, condition }
            }
            Ask::Mint { prefix: below, filled } => {
                Command::Mint { prefix: prefix(&below), serial: None, draft: filled.draft() }
            }
            Ask::Batch(asks) => Command::Batch(asks.iter().map(Ask::command).collect()),
            Ask::Registrant { id, active } => {
                let step = if active { Step::Resume } else { Step::Suspend };
                Command::Registrant(RegistrantCommand::Step { id: name(id), step })
            }
            Ask::Offer { to, prefixes, identifiers } => Command::Transfer(TransferCommand::Offer {
                to: name(to),
                prefixes: prefixes.iter().map(|text| prefix(text)).collect(),
                identifiers: identifiers.iter().map(|text| identifier(text)).collect(),
            }),
            Ask::Decide { offer, step } => {
                let id = format!("{:08}", offer + 1);
                Command::Transfer(TransferCommand::Step { id, step })
            }
            Ask::Give { granter, on_template, subject, access, grantee, attributes } => {
                let mut grant = grant(granter, on_template, subject, access, grantee);
                grant.attributes = attributes.into_iter().map(str::to_owned).collect();
                Command::Grant(GrantCommand::Give(grant))
            }
            Ask::Revoke { granter, on_template, subject, access, grantee } => {
                let grant = grant(granter, on_template, subject, access, grantee);
                Command::Grant(GrantCommand::Revoke { id: grant.id() })
            }
            ask => ask.template_command().or_else(|| ask.prefix_command()).unwrap(),
        }
    }

    fn template_command(&self) -> Option<Command> {
        let condition = Condition::Always;
        Some(Command::Template(match self {
            Ask::Draft { id, shape } => {
                let definition = definition(*shape).to_string();
                let template = Arc::new(Template::from_json(definition.as_bytes()).unwrap());
                TemplateCommand::Draft { identifier: identifier(id), template, condition }
            }
            Ask::Publish { id } => {
                TemplateCommand::Publish { identifier: identifier(id), condition }
            }
            Ask::Withdraw { id } => {
                TemplateCommand::Withdraw { identifier: identifier(id), condition }
            }
            _ => return None,
        }))
    }

    fn prefix_command(&self) -> Option<Command> {
        let apply = |wish, registrant: &Option<&str>| {
            let (registrant, terms) = (registrant.map(name), Terms::default());
            PrefixCommand::Apply(Application { wish, registrant, terms })
        };
        Some(Command::Prefix(match self {
            Ask::Wish { prefix: text, registrant } => {
                apply(Wish::Exactly(prefix(text)), registrant)
            }
            Ask::NextBelow { parent, registrant } => {
                apply(Wish::NextBelow(prefix(parent)), registrant)
            }
            Ask::Step { prefix: text, step } => {
                let terms = Terms::default();
                PrefixCommand::Step { prefix: prefix(text), step: *step, terms }
            }
            Ask::Amend { prefix: text, quota } => {
                let terms = Terms { identifiers: Some(*quota), ..Terms::default() };
                let condition = Condition::Always;
                PrefixCommand::Amend { prefix: prefix(text), terms, condition }
            }
            _ => return None,
        }))
    }
}

fn patch(serial: Option<&'static str>, size: Option<Option<u8>>, follow: Option<String>) -> Patch {
    let mut body = json!({"attributes": {}});
    if let Some(serial) = serial {
        body["attributes"]["serial"] = serial.into();
    }
    if let Some(size) = size {
        body["attributes"]["size"] = json!(size);
    }
    if let Some(follow) = follow {
        body["template"] = follow.into();
    }
    Patch::from_json(body.to_string().as_bytes()).unwrap()
}

fn grant(
    granter: Option<&str>,
    on_template: bool,
    subject: String,
    access: Access,
    grantee: Option<&str>,
) -> Grant {
    let kind = if on_template { GrantSubject::Template } else { GrantSubject::Identifier };
    let grantee = grantee.map_or(Grantee::Everyone, |id| Grantee::Registrant(name(id)));
    let (granter, subject) = (granter.map(name), kind(subject));
    Grant { granter, subject, grantee, attributes: Vec::new(), access, revoked: false }
}

/// A template; the second shape has an attribute more, in the third the first has another name.
pub(super) fn definition(shape: usize) -> Json {
    let first = if shape == 2 { "number" } else { "serial" };
    let mut definition = json!({
        "labels": {"en": "Thing"},
        "attributes": [
            {"index": 2000, "name": first, "type": "string", "labels": {"en": "Serial"},
             "required": true, "unique": true, "indexed": true, "max_length": 20},
            {"index": 2001, "name": "size", "type": "integer", "labels": {"en": "Size"},
             "indexed": true, "view": "owner"},
            {"index": 2002, "name": "see", "type": "reference", "labels": {"en": "See"}},
        ],
        "suffix": {"parts": [{"text": "P"}, {"counter": {"digits": 3}}]},
    });
    if shape == 1 {
        let colour =
            json!({"index": 2003, "name": "colour", "type": "boolean", "labels": {"en": "C"}});
        definition["attributes"].as_array_mut().unwrap().push(colour);
    }
    definition
}

/// What every sequence begins with: a template, records, and one that is held
/// apart.
pub(super) fn first() -> Vec<(Who, Ask)> {
    let id = || "88.118/T".to_owned();
    let put = |at: &str, template, serial| {
        let filled = Filled { template, serial: Some(serial), size: Some(2), see: None };
        Ask::Put { id: at.into(), filled, condition: Condition::Absent }
    };
    let (to, identifiers) = ("zhang", vec!["88.118.8/A".to_owned()]);
    vec![
        (Who::Admin, Ask::Draft { id: id(), shape: 0 }),
        (Who::Admin, Ask::Publish { id: id() }),
        (Who::Acme, put("88.118.8/A", Some(id()), "s0")),
        (Who::Acme, put("88.118.8/B", Some(id()), "s1")),
        (Who::Zhang, put("88.118.9/A", Some(id()), "s0")),
        (Who::Acme, Ask::Offer { to, prefixes: Vec::new(), identifiers }),
        (Who::Zhang, Ask::Decide { offer: 0, step: TransferStep::Accept }),
    ]
}

/// What draws requests.
pub(super) struct Dice {
    pub seed: u64,
    /// How many transfers were offered.
    pub offers: usize,
}

impl Dice {
    /// SplitMix64.
    fn below(&mut self, end: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    /// A request, and mostly somebody who may ask it.
    pub fn turn(&mut self) -> (Who, Ask) {
        use Who::{Acme, Admin, Reviewer, Zhang};
        let ask = self.ask();
        let fitting: &[Who] = match &ask {
            _ if self.one_in(8) => &Who::ALL,
            Ask::Step { .. } | Ask::Registrant { .. } | Ask::Amend { .. } => &[Admin, Reviewer],
            Ask::Offer { to: "acme", .. } => &[Zhang, Zhang, Admin],
            Ask::Offer { .. } => &[Acme, Acme, Admin],
            Ask::Decide { .. } => &[Acme, Zhang],
            Ask::Give { granter: Some("acme"), .. } | Ask::Revoke { .. } => &[Acme],
            Ask::Patch { .. } => &[Admin, Acme, Zhang, Zhang],
            _ => &[Admin, Admin, Admin, Acme],
        };
        (self.pick(fitting), ask)
    }

    fn prefix(&mut self) -> String {
        let often = ["88.118", "88.118.8", "88.118.8", "88.118.9"];
        let from = if self.one_in(4) { &PREFIXES[..] } else { &often };
        self.pick(from).to_owned()
    }

    fn identifier(&mut self) -> String {
        if self.one_in(30) {
            return self.template();
        }
        let suffix = self.pick(&["A", "A", "B", "P001"]);
        format!("{}/{suffix}", self.prefix())
    }

    fn template(&mut self) -> String {
        self.pick(&["88.118/T", "88.118/T", "88.118.8/T"]).to_owned()
    }

    fn condition(&mut self) -> Condition {
        match self.below(20) {
            0 => Condition::Absent,
            1 => Condition::Present,
            2 => Condition::Version(1 + self.below(3)),
            _ => Condition::Always,
        }
    }

    fn registrant(&mut self) -> Option<&'static str> {
        self.pick(&[None, Some("acme"), Some("acme"), Some("zhang")])
    }

    fn filled(&mut self, template: bool) -> Filled {
        let serial = Some(self.pick(&SERIALS));
        if !template {
            return Filled { template: None, serial, size: None, see: None };
        }
        let template = Some(self.template());
        let serial = serial.filter(|_| !self.one_in(15));
        let size = self.one_in(2).then(|| self.pick(&SIZES));
        let see = self.one_in(3).then(|| self.identifier());
        Filled { template, serial, size, see }
    }

    fn put(&mut self) -> Ask {
        let spelt = self.identifier();
        let id = if self.one_in(5) { spelt.to_ascii_lowercase() } else { spelt };
        let templated = !self.one_in(3);
        Ask::Put { id, filled: self.filled(templated), condition: self.condition() }
    }

    fn patch(&mut self) -> Ask {
        let follow = self.one_in(6).then(|| self.template());
        let serial = self.one_in(2).then(|| self.pick(&SERIALS));
        let null = self.one_in(3);
        let size = (serial.is_none() || self.one_in(3)).then(|| (!null).then(|| self.pick(&SIZES)));
        let (id, condition) = (self.identifier(), self.condition());
        Ask::Patch { id, serial, size, follow, condition }
    }

    /// Something about one record.
    fn record(&mut self) -> Ask {
        match self.below(12) {
            0..=4 => self.put(),
            5..=7 => self.patch(),
            8 => Ask::Retire { id: self.identifier(), condition: self.condition() },
            9 => {
                let (id, version) = (self.identifier(), self.below(4));
                Ask::Restore { id, version, condition: self.condition() }
            }
            _ => {
                let templated = !self.one_in(10);
                Ask::Mint { prefix: self.prefix(), filled: self.filled(templated) }
            }
        }
    }

    /// Any request.
    pub fn ask(&mut self) -> Ask {
        match self.below(42) {
            0..=19 => self.record(),
            20 => self.all(),
            21..=23 => Ask::Batch((0..=self.below(3)).map(|_| self.record()).collect()),
            24 => Ask::Draft { id: self.template(), shape: self.pick(&[0, 0, 0, 1, 1, 2]) },
            25 | 26 => Ask::Publish { id: self.template() },
            27 if self.one_in(2) => Ask::Withdraw { id: self.template() },
            27 | 28 => {
                let (prefix, registrant) = (self.pick(&PREFIXES).to_owned(), self.registrant());
                Ask::Wish { prefix, registrant }
            }
            29 => Ask::NextBelow { parent: self.prefix(), registrant: self.registrant() },
            30 | 31 => {
                let early = [Step::Review, Step::Approve];
                let step = if self.one_in(2) { self.pick(&early) } else { self.pick(&Step::ALL) };
                // What is closed stays closed, so the prefixes in use are spared mostly.
                let spared = matches!(step, Step::Close) && !self.one_in(4);
                let from = if spared { &PREFIXES[3..] } else { &PREFIXES[..] };
                Ask::Step { prefix: self.pick(from).to_owned(), step }
            }
            32 if self.one_in(2) => {
                let quota = (!self.one_in(3)).then(|| 1 + self.below(6));
                Ask::Amend { prefix: self.prefix(), quota }
            }
            33 => {
                let id = self.pick(&["acme", "zhang"]);
                Ask::Registrant { id, active: !self.one_in(3) }
            }
            34 | 35 => self.offer(),
            36 | 37 => {
                use TransferStep::{Accept, Cancel, Decline};
                let step = self.pick(&[Accept, Accept, Accept, Decline, Cancel]);
                // The last one mostly, sometimes one that is decided or not there.
                let other = usize::try_from(self.below(3)).unwrap();
                let last = self.offers.saturating_sub(1);
                Ask::Decide { offer: if self.one_in(6) { other } else { last }, step }
            }
            _ => self.give(),
        }
    }

    fn all(&mut self) -> Ask {
        let mut asks = BTreeMap::new();
        for _ in 0..self.below(6) {
            let (id, condition) = (self.identifier(), self.condition());
            let key = id.clone();
            let ask = match self.one_in(4) {
                true => Ask::Retire { id, condition },
                false => Ask::Put { id, filled: self.filled(false), condition },
            };
            asks.insert(key, ask);
        }
        Ask::All(asks.into_values().collect())
    }

    fn offer(&mut self) -> Ask {
        let to = self.pick(&["acme", "zhang"]);
        let own = if to == "acme" { "88.118.9" } else { "88.118.8" };
        let prefixes = if self.one_in(5) { vec![own.to_owned()] } else { Vec::new() };
        let mut identifiers: Vec<_> = (0..self.below(2)).map(|_| self.identifier()).collect();
        if prefixes.is_empty() || self.one_in(3) {
            // Sometimes back to where it came from.
            let from = if self.one_in(3) { "88.118.8" } else { own };
            identifiers.push(format!("{from}/A"));
        }
        Ask::Offer { to, prefixes, identifiers }
    }

    fn give(&mut self) -> Ask {
        let on_template = self.one_in(2);
        let subject = if on_template { self.template() } else { self.identifier() };
        let granter = self.pick(&[Some("acme"), Some("acme"), Some("zhang"), None]);
        let grantee = self.pick(&[Some("zhang"), Some("zhang"), Some("acme"), None]);
        let access = self.pick(&[Access::View, Access::Edit, Access::Edit, Access::Nothing]);
        if self.one_in(5) {
            return Ask::Revoke { granter, on_template, subject, access, grantee };
        }
        if access == Access::Nothing && !self.one_in(4) {
            let (on_template, grantee, attributes) = (false, None, Vec::new());
            return Ask::Give { granter, on_template, subject, access, grantee, attributes };
        }
        let whole = self.one_in(3);
        let attributes = if whole { Vec::new() } else { vec![self.pick(&["serial", "size"])] };
        Ask::Give { granter, on_template, subject, access, grantee, attributes }
    }
}

/// The prefixes; the first three are in use when it begins.
pub(super) const PREFIXES: [&str; 7] =
    ["88.118", "88.118.8", "88.118.9", "88.118.8.1", "88.118.1", "88.118.2", "20.500"];

pub(super) const SERIALS: [&str; 4] = ["s0", "s1", "s2", "s3"];

pub(super) const SIZES: [u8; 3] = [1, 2, 3];
