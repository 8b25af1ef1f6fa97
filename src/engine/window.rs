//! Time windows: which are open, and waiting for the next one that opens or closes.

use tracing::info;

use crate::domain::window::Standing;
use crate::engine::core::Core;
use crate::engine::timer::Target;

impl Core {
    /// Looks which windows are open now, and waits for the next change. What runs goes on, however little may run now.
    pub(super) fn look_at_windows(&mut self) {
        let windows = &self.settings.windows;
        if windows.is_empty() && self.windows == Standing::default() {
            return;
        }
        let now = self.now.wall;
        let before = std::mem::replace(&mut self.windows, windows.at(now));
        let is_in = |name: &str, standing: &Standing| standing.open.iter().any(|open| open.name == name);
        for window in before.open.iter().filter(|window| !is_in(&window.name, &self.windows)) {
            info!("Window {} is closed", window.name);
        }
        for window in self.windows.open.iter().filter(|window| !is_in(&window.name, &before)) {
            info!("Window {} is open", window.name);
        }
        // A wall clock that is set, or a sleep, makes the loop look again.
        let next = self.windows.next.as_ref().map(|next| self.now.moment + next.at.since(now));
        self.wake_only_at(next, Target::Window);
        if self.windows.open != before.open {
            self.take_back();
            self.claim();
        }
    }
}
