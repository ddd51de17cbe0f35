use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use std::collections::HashMap;

/// A page's text.
pub(super) struct Text {
    /// Its first heading, escaped.
    pub(super) title: String,
    /// All of it.
    pub(super) html: String,
}

/// Renders a file: headings get the anchors that links to them expect, links between files lead between pages,
/// tables may scroll, and HTML in it is text.
pub(super) fn render(markdown: &str, is_page: &dyn Fn(&str) -> bool) -> Text {
    let mut events: Vec<Event<'_>> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let title = name_headings(&mut events);
    let mut html = String::with_capacity(markdown.len() * 2);
    let mut adapter = Adapter { is_page, is_in_left_out_link: false };
    html::push_html(&mut html, events.into_iter().flat_map(|event| adapter.adapt(event)));
    Text { title: escaped(&title), html }
}

/// Gives every heading its anchor; the first heading's text.
fn name_headings(events: &mut [Event<'_>]) -> String {
    let (mut first, mut uses) = (None, HashMap::new());
    for start in 0..events.len() {
        if !matches!(events.get(start), Some(Event::Start(Tag::Heading { .. }))) {
            continue;
        }
        let text: String = events
            .iter()
            .skip(start)
            .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))))
            .map(|event| match event {
                Event::Text(text) | Event::Code(text) => text.as_ref(),
                Event::SoftBreak => " ",
                _ => "",
            })
            .collect();
        let anchor = anchor_of(&text, &mut uses);
        if let Some(Event::Start(Tag::Heading { id, .. })) = events.get_mut(start) {
            *id = Some(CowStr::from(anchor));
        }
        first.get_or_insert(text);
    }
    first.unwrap_or_default()
}

/// Lower case, spaces as hyphens, no punctuation; the second of a kind gets a number.
fn anchor_of(heading: &str, uses: &mut HashMap<String, u32>) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c => c.is_alphanumeric().then_some(c),
    };
    let plain: String = heading.to_lowercase().chars().filter_map(kept).collect();
    let before = uses.entry(plain.clone()).or_insert(0);
    *before += 1;
    if *before == 1 { plain } else { format!("{plain}-{}", *before - 1) }
}

/// Makes of a file what a page is.
struct Adapter<'a> {
    /// Is there a page of that name?
    is_page: &'a dyn Fn(&str) -> bool,
    is_in_left_out_link: bool,
}

impl Adapter<'_> {
    fn adapt<'e>(&mut self, event: Event<'e>) -> impl Iterator<Item = Event<'e>> + use<'e> {
        let html = |html: &'static str| Some(Event::Html(CowStr::Borrowed(html)));
        let [before, event, after] = match event {
            Event::Html(text) | Event::InlineHtml(text) => [None, Some(Event::Text(text)), None],
            Event::Start(Tag::Table(_)) => [html("<div class=\"wide\" tabindex=\"0\">"), Some(event), None],
            Event::End(TagEnd::Table) => [None, Some(event), html("</div>\n")],
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let place = place_of(&dest_url, self.is_page);
                self.is_in_left_out_link = place.is_none();
                let link =
                    |place: String| Event::Start(Tag::Link { link_type, dest_url: place.into(), title, id });
                [None, place.map(link), None]
            }
            Event::End(TagEnd::Link) if self.is_in_left_out_link => [None, None, None],
            event => [None, Some(event), None],
        };
        [before, event, after].into_iter().flatten()
    }
}

/// Where a link of a file leads on the server: files of the manual are pages, the API's document is the API's to
/// serve. None for a file that is not served; what is no file is left as it is.
pub(super) fn place_of(link: &str, is_page: &dyn Fn(&str) -> bool) -> Option<String> {
    let (file, anchor) = link.find('#').map_or((link, ""), |at| link.split_at(at));
    if file.is_empty() || file.contains(':') || file.starts_with('/') {
        return Some(link.to_owned());
    }
    if file == "openapi.json" {
        return Some("/api/v1/openapi.json".to_owned());
    }
    // As files at the root of the sources name them, and as those of the manual name each other.
    let file = file.strip_prefix("docs/").unwrap_or(file);
    let name = file.trim_start_matches("../").strip_suffix(".md")?.to_lowercase();
    is_page(&name).then(|| format!("/docs/{name}{anchor}"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
