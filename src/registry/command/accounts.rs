//! What can be asked about accounts, their passwords and sessions.

use crate::access::{Proof, Role};
use crate::registrant::RegistrantId;

/// A change to accounts, their passwords and sessions.
#[derive(Clone, Debug)]
pub enum AccountCommand {
    /// Make an account.
    Create {
        /// Its name, 1 to 64 octets without control characters.
        name: String,
        /// What it is for.
        role: Role,
        /// Whom it acts for; none for the node itself.
        registrant: Option<RegistrantId>,
        /// Its password's hash as a PHC string; none for accounts that log in nowhere.
        password: Option<String>,
    },
    /// Give an account another role.
    SetRole {
        /// The account.
        name: String,
        /// What it is to be for.
        role: Role,
    },
    /// Stop an account, which ends its sessions, or let it go on.
    SetDisabled {
        /// The account.
        name: String,
        /// Whether it may do nothing.
        disabled: bool,
    },
    /// Give an account another password, which ends its sessions.
    SetPassword {
        /// The account.
        name: String,
        /// The new password's hash as a PHC string.
        password: String,
        /// The account's proof that it knows the old one; others need none.
        proof: Option<Proof>,
    },
    /// Begin the session as which the actor acts.
    BeginSession(Proof),
    /// End the session as which the actor acts.
    EndSession,
}
