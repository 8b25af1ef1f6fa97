//! The recipes do what they say: each is taken from its page and run, in a project of its own.
//!
//! A section is a recipe. What stands between ```` ```toml ```` goes into its `config.toml`; what stands between ```` ```sh ```` is run
//! by `sh -eu`, and so is what follows in a comment that begins with `check`. Programs of the user's (`./NAME`) are made up.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::{World, run};

const PAGE: &str = include_str!("../../packaging/recipes.md");

#[derive(Debug, Default)]
struct Recipe {
    title: String,
    config: String,
    script: String,
}

fn recipes(page: &str) -> Vec<Recipe> {
    let mut recipes: Vec<Recipe> = Vec::new();
    let mut inside = None;
    for line in page.lines() {
        match (inside, line) {
            (None, line) if line.starts_with("## ") => {
                recipes.push(Recipe { title: line[3..].to_owned(), ..Recipe::default() });
            }
            (None, "```toml") => inside = Some("toml"),
            (None, "```sh" | "<!-- check") => inside = Some("sh"),
            (None, line) => assert!(!line.starts_with("```"), "`{line}` is neither settings nor commands"),
            (Some(_), "```" | "-->") => inside = None,
            (Some(what), line) => {
                let recipe = recipes.last_mut().expect("a recipe has a title");
                let text = if what == "toml" { &mut recipe.config } else { &mut recipe.script };
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    recipes
}

/// Makes each program that a script calls by `./NAME`: it says what it was called with.
fn make_programs(script: &str, root: &Path) {
    for word in script.split(|c: char| c.is_whitespace() || "'\"();|&".contains(c)) {
        if let Some(name) = word.strip_prefix("./").filter(|name| !name.is_empty()) {
            let path = root.join(name);
            fs::write(&path, "#!/bin/sh\necho \"$0 $*\"\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

#[test]
fn every_recipe_does_what_it_says() {
    let recipes = recipes(PAGE);
    assert!(recipes.len() >= 5, "{} recipes", recipes.len());
    for recipe in recipes {
        assert!(recipe.script.contains("apex"), "`{}` has no commands", recipe.title);
        let world = if recipe.config.is_empty() { World::new() } else { World::with_config(&recipe.config) };
        make_programs(&recipe.script, &world.root());
        let binary = Path::new(env!("CARGO_BIN_EXE_apex")).parent().unwrap();
        // It has the environment of an apex command of this world.
        let likeness = world.command::<&str>([]);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-euc", &recipe.script]).current_dir(world.root()).env_clear();
        for (name, value) in likeness.get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
        let outcome = run({
            shell.env("PATH", path).stdin(std::process::Stdio::null());
            shell
        });
        assert_eq!(outcome.code, 0, "`{}`: {outcome:?}", recipe.title);
    }
}
