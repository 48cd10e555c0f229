//! Parts of earlier answers.

use serde_json::Value;

/// The part of `answer` that `pointer` names: a JSON pointer without the first slash, or the names
/// of XML elements from the outermost on, a number choosing among equal ones from 0.
pub(crate) fn part(answer: &Value, pointer: &str) -> Option<Value> {
    match answer.as_str() {
        Some(xml) => element(xml, pointer).map(Value::String),
        None => answer.pointer(&format!("/{pointer}")).cloned(),
    }
}

fn element(xml: &str, pointer: &str) -> Option<String> {
    let mut content = xml;
    let mut names = pointer.split('/').peekable();
    while let Some(name) = names.next() {
        let number = names.next_if(|next| next.parse::<usize>().is_ok());
        let wanted = number.map_or(Ok(0), str::parse::<usize>).ok()?;
        content = children(content).filter(|(found, _)| *found == name).nth(wanted)?.1;
    }
    let text = content.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    Some(text.replace("&apos;", "'").replace("&#39;", "'").replace("&amp;", "&"))
}

/// The elements right inside `content`: names and what is in them.
fn children(mut content: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || {
        let start = content.split_once('<')?.1;
        let (tag, rest) = start.split_once('>')?;
        let name = tag.split([' ', '/']).next()?;
        if tag.ends_with('/') {
            content = rest;
            return Some((name, ""));
        }
        // The end that belongs to this beginning, past elements of the same name inside it.
        let (mut depth, mut at) = (1_usize, 0_usize);
        loop {
            let next = at + rest.get(at..)?.find('<')?;
            let after = rest.get(next + 1..)?;
            let inner = after.split('>').next()?;
            if let Some(closed) = inner.strip_prefix('/') {
                depth -= usize::from(closed == name);
            } else if inner.split(' ').next() == Some(name) && !inner.ends_with('/') {
                depth += 1;
            }
            at = next + 1;
            if depth == 0 {
                content = after;
                return Some((name, rest.get(..next)?));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_are_found_by_name_and_number() {
        let xml = json!("<R xmlns=\"x\"><A/><L><m><m>1</m></m><m>a&amp;b</m></L></R>");
        assert_eq!(part(&xml, "R/L/m/1"), Some(json!("a&b")));
        assert_eq!(part(&xml, "R/L/m/m"), Some(json!("1")));
        assert_eq!(part(&xml, "R/L/n"), None);
        assert_eq!(part(&json!({ "a": [1, 2] }), "a/1"), Some(json!(2)));
    }
}
