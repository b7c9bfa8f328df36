//! The nouns: plain data and the invariants that hold for them everywhere.
//!
//! Text from a file, bytes from the kernel and answers from real servers become these types at
//! the edge, once; nothing here reads, writes or waits.

#![forbid(unsafe_code)]

mod check;
mod desired;
mod digest;
mod kernel;
mod memory;
mod notice;
mod probe;
mod server;
mod service;
mod table;
mod time;
mod view;

pub use check::{Between, CheckSpec, Outcome, Verdict};
pub use desired::{
    ByHand, Desired, FailureAction, Fallback, Origin, RealServer, Settings, StopAction,
    SysctlPolicy, VirtualService,
};
pub use digest::Digest;
pub use kernel::{KernelError, KernelErrorKind};
pub use memory::{Drain, Memory, Remembered};
pub use notice::{Notice, Notices};
pub use probe::{
    DnsProbe, ExternalProbe, FtpProbe, HttpProbe, LdapProbe, MailboxProbe, PingProbe, Probe,
    RadiusProbe, SipProbe, SqlProbe, StatusRanges, TcpProbe, Tls, Transport,
};
pub use server::{Destination, Endpoint, ForwardingMethod, Tunnel, TunnelKind};
pub use service::{
    Family, KernelName, KeyError, NameError, Netmask, Persistence, Protocol, SchedulerFlags,
    ServiceKey, ServiceSettings,
};
pub use table::{Destinations, Entry, Survey, SurveyKey, Table};
pub use time::Time;
pub use view::{
    CheckView, Command, CommandReport, FileState, FileView, KernelView, NameList, Phase, PlanLine,
    PlanView, RejectedFile, ReloadReport, ServerView, ServiceView, Sign, Snapshot,
};
