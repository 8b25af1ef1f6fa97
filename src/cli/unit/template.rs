//! Filling in a template of `packaging/`.

/// Fills in `template`: `{{word}}` becomes what `value` says of the word.
///
/// Shape: lines that begin with `#:` or `<!--:` are about the template itself and are left out. What was filled in is
/// not looked at again, so a path may hold `{{word}}`. A word that `value` does not know stays as it is.
pub(super) fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let is_own = |line: &&str| !line.starts_with("#:") && !line.starts_with("<!--:");
    let template: String = template.split_inclusive('\n').filter(is_own).collect();
    let mut text = String::with_capacity(template.len() + 256);
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        match after.split_once("}}").and_then(|(word, after)| Some((value(word)?, after))) {
            Some((value, after)) => {
                text.push_str(&value);
                rest = after;
            }
            None => {
                text.push_str("{{");
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_filled_in_once_and_the_head_is_left_out() {
        let value = |word: &str| match word {
            "a" => Some("{{b}}".to_owned()),
            "b" => Some("2".to_owned()),
            _ => None,
        };
        let template = "#: {{a}}\n<!--: x -->\n# kept\n{{a}} {{b}}{{c}} {{ {{b}} {{\n";
        assert_eq!(fill(template, value), "# kept\n{{b}} 2{{c}} {{ 2 {{\n");
    }
}
