//! Puts credentials where a mail server reads them, and makes it read them.
//!
//! [`Files`] is the deployer that the configuration calls `files`. What a file holds is [`bundle`];
//! whose it is, and what may be replaced, [`mod@file`]; how a certificate file and a key file switch
//! together, [`generation`]; which credential goes where, [`place`].
//!
//! [`Exec`] hands files to a command of the operator's. [`Ssh`] places files on other machines: on
//! every one of them or on none.
//!
//! A symbolic link where a file should go is refused, and never followed. To write through it could
//! overwrite another ACME client's own file, as in `/etc/letsencrypt/live/`, which that client would
//! overwrite in turn; to replace it would break what the operator set up. The mail server and the
//! configuration are to name a file of their own. Links in the directories above are no matter.

mod bundle;
mod exec;
mod file;
mod files;
mod generation;
mod place;
mod ssh;

pub use exec::Exec;
pub use files::Files;
pub use ssh::Ssh;
