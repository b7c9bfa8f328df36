//! One client: who is logged in, which view is chosen, and what a request comes to.

use std::sync::Arc;

use super::access::Access;
use super::commands;
use super::listing::{Look, view_selected};
use super::order::{Act, Order};
use super::reply::Reply;
use super::scene::Scene;

/// The longest user, password or name of a view that is looked at, in bytes.
const MAX_WORD: usize = 256;

/// The director as replies name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    pub process: u32,
    pub name: String,
}

/// What a request comes to: a reply that is known already, or something to be asked first.
#[derive(Clone, PartialEq, Debug)]
pub enum Turn {
    Say(Reply),
    /// Then [`Session::logged_in`].
    Login {
        user: String,
        password: String,
    },
    /// Wants a scene without parts, then [`Session::choose_view`].
    View(String),
    /// Wants the scene with [`Look::parts`], then [`Look::reply`].
    Look(Look),
    /// Wants the order carried out, then [`Order::reply`].
    Order(Order),
    /// Wants the act done, then [`Act::reply`].
    Act(Act),
}

/// What is known of one client.
#[derive(Clone, Debug)]
pub struct Session {
    host: Arc<Host>,
    user: Option<String>,
    view: Option<Arc<str>>,
}

impl Session {
    /// A client that has just connected.
    pub fn new(host: Arc<Host>) -> Session {
        Session { host, user: None, view: None }
    }

    /// Who logged in last with success.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What this line asks for. `access` says who may do what.
    pub fn turn(&mut self, line: &str, access: &Access) -> Turn {
        let Some((command, rest)) = commands::split(line) else {
            return say("520 invalid command");
        };
        if let Some(turn) = self.free(&command, rest, access) {
            return turn;
        }
        if !access.allows(self.user(), &command) {
            return say("520 command could not be executed, unknown command");
        }
        let user = self.user.as_deref().unwrap_or_default();
        match command.as_str() {
            "list" => commands::list(rest, self.view.clone()),
            "servertime" => Turn::Look(Look::time()),
            "ack" => commands::acknowledge(rest, user),
            "disable" => commands::disable(rest, user),
            "enable" => commands::enable(rest),
            "test" => commands::test(rest),
            "clear" => commands::clear(rest),
            "set" => commands::set(rest),
            "get" => commands::get(rest),
            other => commands::act(other, rest),
        }
    }

    /// The commands that need nobody's leave.
    fn free(&mut self, command: &str, rest: &str, access: &Access) -> Option<Turn> {
        Some(match command {
            "quit" => Turn::Say(Reply::of("220 quitting").closing()),
            "version" => commands::version(),
            "protid" => commands::protocol(rest),
            "login" => self.login(rest),
            "checkauth" => {
                let asked = rest.split_ascii_whitespace().next().unwrap_or_default();
                match access.allows(self.user(), asked) {
                    true => say("220 command authorized"),
                    false => say("520 command could not be executed"),
                }
            }
            "setview" => self.set_view(rest),
            "getview" => {
                let mut reply = Reply::default();
                reply.data(&match &self.view {
                    Some(view) => format!("view {view} selected"),
                    None => view_selected(None),
                });
                Turn::Say(reply.done("220 getview completed"))
            }
            _ => return None,
        })
    }

    /// The rest of the line is the password, blanks and all.
    fn login(&mut self, rest: &str) -> Turn {
        let (user, password) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let password = password.trim_start();
        match user.is_empty() || user.len() > MAX_WORD || password.len() > MAX_WORD {
            true => self.logged_in("", false),
            false => Turn::Login { user: user.to_owned(), password: password.to_owned() },
        }
    }

    /// The reply to a login. One that fails leaves the user of an earlier one.
    pub fn logged_in(&mut self, user: &str, accepted: bool) -> Turn {
        if !accepted {
            return say("530 login unsuccessful");
        }
        self.user = Some(user.to_owned());
        say("220 login accepted")
    }

    fn set_view(&mut self, rest: &str) -> Turn {
        let mut words = rest.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (_, Some(_)) => say("500 Unknown setview command"),
            (Some(name), None) if name.len() <= MAX_WORD => Turn::View(name.to_owned()),
            (Some(_), None) => say("504 unknown view"),
            (None, None) => {
                self.view = None;
                let mut reply = Reply::default();
                reply.data(&view_selected(None));
                Turn::Say(reply.done("220 setview completed"))
            }
        }
    }

    /// The reply to [`Turn::View`]: it is chosen if there is one of this name.
    pub fn choose_view(&mut self, name: &str, scene: &Scene) -> Reply {
        let Some((name, _)) = scene.watching.views.get_key_value(name) else {
            return Reply::of(&format!("504 unknown view {name}"));
        };
        self.view = Some(Arc::clone(name));
        let mut reply = Reply::default();
        reply.data(&view_selected(Some(name)));
        reply.done("220 setview completed")
    }
}

pub(super) fn say(line: &str) -> Turn {
    Turn::Say(Reply::of(line))
}
