//! Tables as people make them, whole.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::record::DataForm;

/// A stream that gives at most so many bytes at once.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let most = self.1.min(room.len());
        self.0.read(&mut room[..most])
    }
}

/// A table without a mapping, its faults by their rules.
fn read(bytes: &[u8]) -> Vec<(u64, Result<Registration, String>)> {
    let mut reader = open(bytes).unwrap();
    let plan = Plan::new(reader.header(), None).unwrap();
    rows(&mut reader, &plan)
}

fn rows<R: Read>(
    reader: &mut TableReader<R>,
    plan: &Plan,
) -> Vec<(u64, Result<Registration, String>)> {
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row(plan).unwrap() {
        assert!(row.start < row.end && row.end == reader.place().offset);
        rows.push((row.line, row.content.map_err(|fault| fault.rule)));
    }
    rows
}

fn open(bytes: &[u8]) -> Result<TableReader<&[u8]>, TableFault> {
    TableReader::open(bytes, TableFormat::Csv, Encoding::Automatic)
}

/// Rows as line, identifier and the attribute `n`; or line and rule.
fn brief(bytes: &[u8]) -> Vec<String> {
    let brief = |(line, content): (u64, Result<Registration, String>)| match content {
        Ok(registration) => {
            let n = registration.attributes.unwrap_or_default().remove("n");
            let n = n.map_or_else(String::new, |n| format!(" {n}"));
            format!("{line} {}{n}", registration.identifier.unwrap_or_default())
        }
        Err(rule) => format!("{line} !{rule}"),
    };
    read(bytes).into_iter().map(brief).collect()
}

#[test]
fn tables_of_any_make_are_read() {
    let utf16: Vec<u8> = "\u{feff}identifier;n\r\na;泵\r\n\r\nb;\"x\ny\"\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let (gbk, _, _) = encoding_rs::GBK.encode("identifier,n\na,plain\nb,\"泵，水\n泵\"\nc,型号\n");
    for (bytes, expected) in [
        (&b"identifier,n\na,1\nb,\n"[..], vec!["2 a \"1\"", "3 b"]),
        (b"\xef\xbb\xbfidentifier;n\r\na;1\r\n", vec!["2 a \"1\""]),
        (b"n\tIdentifier\r1\ta\r\r2\tb", vec!["2 a \"1\"", "4 b \"2\""]),
        (b"identifier,n\r\na,1\nb,2\rc,3\r\n", vec!["2 a \"1\"", "3 b \"2\"", "4 c \"3\""]),
        (b"identifier,n\na,\"x\ny\"\nb,2\n", vec!["2 a \"x\\ny\"", "4 b \"2\""]),
        (b"identifier,n\n\n , \n,,\na,1", vec!["4 !field-count", "5 a \"1\""]),
        (b"identifier,n\n", vec![]),
        (b"identifier,n", vec![]),
        (b"identifier,n\na,\"'=1\"\nb,'=2\nc,'x\n", vec!["2 a \"=1\"", "3 b \"=2\"", "4 c \"'x\""]),
        (b"identifier,n\na,x\0y\nb,1\n", vec!["2 !text", "3 b \"1\""]),
        (b"identifier,n\na,\xff\nb,1\n", vec!["2 !encoding", "3 b \"1\""]),
        (
            b"identifier,n\n,1\na,b,c\n\"a\"b,\"c\nd,\n",
            vec!["2 !identifier", "3 !field-count", "4 !quoting", "5 d"],
        ),
        (&utf16, vec!["2 a \"泵\"", "4 b \"x\\ny\""]),
        (&gbk, vec!["2 a \"plain\"", "3 b \"泵，水\\n泵\"", "5 c \"型号\""]),
    ] {
        assert_eq!(brief(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        for size in [1, 2, 3, 7] {
            let input = Trickle(bytes, size);
            let mut reader =
                TableReader::open(input, TableFormat::Csv, Encoding::Automatic).unwrap();
            let plan = Plan::new(reader.header(), None).unwrap();
            let lines: Vec<u64> = rows(&mut reader, &plan).iter().map(|row| row.0).collect();
            let whole: Vec<u64> = read(bytes).iter().map(|row| row.0).collect();
            assert_eq!(lines, whole);
        }
    }
}

#[test]
fn tables_that_cannot_be_read_say_why() {
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b"\n\n", "empty"),
        (b"a,b\n1,2\n", "no column identifier"),
        (b"identifier,a,a\n", "column \"a\" is there twice"),
        (b"identifier,,a\n", "column 2 has no name"),
        (b"identifier,Identifier\n", "second identifier"),
        (b"identifier,a b\n", "\"a b\" is no attribute name"),
        (b"identifier,\"a\n", "not closed"),
        (b"\"identifier\"x\n", "behind the closing quote"),
        (b"i\0d\0,\0", "UTF-16"),
        (b"identifier,\xff\n", "not UTF-8 at byte 12"),
    ] {
        let fault = open(bytes).and_then(|reader| Plan::new(reader.header(), None).map(drop));
        let fault = fault.unwrap_err().to_string();
        assert!(fault.contains(expected), "{fault}");
    }
}

#[test]
fn one_bad_cell_costs_one_row() {
    let mut table = b"identifier,n\n".to_vec();
    for n in 0..5_000_u32 {
        let cell: &[u8] = match n {
            1_234 => b"\xff\xff",
            2_345 => b"\"x\"y",
            3_456 => b"1,2",
            _ => "泵".as_bytes(),
        };
        table.extend_from_slice(format!("88.118/{n},").as_bytes());
        table.extend_from_slice(cell);
        table.extend_from_slice(b"\r\n");
    }
    let rows = read(&table);
    assert_eq!(rows.len(), 5_000);
    let bad: Vec<_> = rows.into_iter().filter_map(|(n, row)| Some((n, row.err()?))).collect();
    assert_eq!(
        bad,
        [(1_236, "encoding".into()), (2_347, "quoting".into()), (3_458, "field-count".into()),]
    );
}

#[test]
fn what_has_no_end_costs_a_bounded_part() {
    let table = format!("identifier\n\"a\n{}b\n", "x\n".repeat(MAX_RECORD_LINES - 1));
    assert_eq!(brief(table.as_bytes()), ["2 !quoting", "102 b"]);
    let cell = "x".repeat(10 << 20);
    for table in
        [format!("identifier,n\na,{cell}\nb,1\n"), format!("identifier,n\na,\"{cell}\"\r\nb,1\n")]
    {
        assert_eq!(brief(table.as_bytes()), ["2 !too-long", "3 b \"1\""]);
    }
    let most = "x".repeat(MAX_RECORD_BYTES - 3);
    let table = format!("identifier,n\na,{most}\nb,1\n");
    assert_eq!(brief(table.as_bytes()).len(), 2);
    assert!(read(table.as_bytes())[0].1.is_ok());
    let endless = format!("identifier,n\n\"{}", "x\n".repeat(1 << 20));
    assert_eq!(brief(endless.as_bytes())[0], "2 !quoting");
    let header = format!("identifier,{cell}");
    assert!(open(header.as_bytes()).err().unwrap().to_string().contains("1048576"));
}

#[test]
fn mappings_say_what_columns_mean() {
    let mapping = |json: Json| Mapping::parse(&serde_json::to_vec(&json).unwrap()).unwrap();
    let table = "货号,链接,型号,备注,list,rejected:line\nSN-1, https://h/1 ,P 1,x,WzEsIDJd,7\n\
                 SN-2,,, ,?,\n";
    let mut reader = open(table.as_bytes()).unwrap();
    let whole = mapping(json!({
        "columns": {
            "货号": "identifier", "链接": {"value": "URL"}, "型号": {"attribute": "model"},
            "备注": null,
        },
        "prefix": "88.118.8", "template": "88.118.8/TPL",
        "decode": {"list": "base64-escaped-json"},
    }));
    let plan = Plan::new(reader.header(), Some(&whole)).unwrap();
    let row = reader.next_row(&plan).unwrap().unwrap().content.unwrap();
    assert_eq!(row.identifier.as_deref(), Some("88.118.8/SN-1"));
    assert_eq!(row.template.as_deref(), Some("88.118.8/TPL"));
    let values = row.values.unwrap();
    assert_eq!((values.len(), values[0].kind.as_str()), (1, "URL"));
    assert_eq!(values[0].data, Some(DataForm::Text("https://h/1".into())));
    let expected =
        BTreeMap::from([("list".to_owned(), json!([1, 2])), ("model".to_owned(), json!("P 1"))]);
    assert_eq!((row.attributes, row.cells), (Some(expected), true));
    let fault = reader.next_row(&plan).unwrap().unwrap().content.unwrap_err();
    assert_eq!((fault.path.as_str(), fault.rule.as_str()), ("list", "decode"));

    let minted = mapping(json!({"serial": "货号", "template": "88.118.8/TPL",
        "columns": {"list": null}}));
    let mut reader = open(table.as_bytes()).unwrap();
    let plan = Plan::new(reader.header(), Some(&minted)).unwrap();
    let row = reader.next_row(&plan).unwrap().unwrap().content.unwrap();
    assert_eq!((row.identifier, row.serial.as_deref()), (None, Some("SN-1")));

    let wrong = mapping(json!({
        "columns": {"货号": "identifier", "链接": "identifier", "型号": {"attribute": "a b"},
            "备注": {"attribute": "list"}, "nowhere": null},
        "serial": "none", "decode": {"gone": "base64-escaped-json", "货号": "base64-escaped-json"},
    }));
    let TableFault::Mapping(faults) = Plan::new(reader.header(), Some(&wrong)).unwrap_err() else {
        panic!("a fault of the mapping");
    };
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "columns.nowhere",
            "serial",
            "decode.gone",
            "decode.货号",
            "columns.链接",
            "columns.型号",
            "columns.list",
        ]
    );
    let (gbk, _, _) = encoding_rs::GBK.encode("编号,型号\n1,泵\n");
    let mut chinese = open(&gbk).unwrap();
    let numbered = mapping(json!({"columns": {"编号": "identifier"}}));
    let plan = Plan::new(chinese.header(), Some(&numbered)).unwrap();
    let row = chinese.next_row(&plan).unwrap().unwrap().content.unwrap();
    assert_eq!(row.attributes, Some(BTreeMap::from([("型号".to_owned(), json!("泵"))])));
    let nothing = Plan::new(reader.header(), Some(&Mapping::default())).unwrap_err().to_string();
    assert!(nothing.contains("no column identifier"), "{nothing}");
}

#[test]
fn lines_of_json_are_registrations() {
    let lines = "\u{feff}{\"identifier\":\"88.1/a\",\"attributes\":{\"n\":1}}\r\n\n\
        {\"serial\":\"7\",\r\"template\":\"88.1/T\",\
        \"values\":[{\"type\":\"URL\",\"data\":\"u\"}]}\n\
        {\"identifier\":\"88.1/b\",\"cells\":true}\n{\"identifier\":1}\n[\n{\"serial\":\"\0\"}\n{}";
    let mut reader =
        TableReader::open(lines.as_bytes(), TableFormat::Ndjson, Encoding::Automatic).unwrap();
    let plan = Plan::new(reader.header(), None).unwrap();
    let rows = rows(&mut reader, &plan);
    let faults: Vec<_> = rows.iter().map(|(n, row)| (*n, row.as_ref().err().cloned())).collect();
    let json = || Some("json".to_owned());
    assert_eq!(
        faults,
        [
            (1, None),
            (3, None),
            (4, json()),
            (5, json()),
            (6, json()),
            (7, Some("text".into())),
            (8, None),
        ]
    );
    let second = rows[1].1.as_ref().unwrap();
    assert_eq!((second.serial.as_deref(), second.template.as_deref()), (Some("7"), Some("88.1/T")));
    assert!(!second.cells && second.attributes.is_none());
    assert!(Plan::new(reader.header(), Some(&Mapping::default())).is_err());
}

#[test]
fn refused_rows_can_be_mended_and_read_again() {
    let table = "identifier;n\r\n88.1/a;\"=1;\n2\"\r\nb\r\n\"c\"x;1\r\n";
    let mut reader = open(table.as_bytes()).unwrap();
    let rejects = Rejects::new(reader.header().clone());
    let plan = Plan::new(reader.header(), None).unwrap();
    let mut out = Vec::new();
    rejects.begin(&mut out);
    while let Some(row) = reader.next_row(&plan).unwrap() {
        let record = &table.as_bytes()[row.start as usize..row.end as usize];
        let faults = match row.content {
            Ok(_) => vec![
                RowFault::new("attributes.n", "pattern", "no; really"),
                RowFault::new("", "quota", "none left"),
            ],
            Err(fault) => vec![fault],
        };
        rejects.add(&mut out, row.line, record, &faults);
    }
    let text = String::from_utf8(out.clone()).unwrap();
    assert_eq!(
        text,
        "\u{feff}identifier,n,rejected:line,rejected:path,rejected:rule,rejected:reason,\
         rejected:text\r\n88.1/a,\"'=1;\n2\",2,\"attributes.n; \",\"pattern; quota\",\
         \"no; really; none left\",\r\nb,,4,,field-count,1 fields where the header names 2,\r\n\
         ,,5,,quoting,text behind the closing quote of field 1,\"\"\"c\"\"x;1\"\r\n"
    );
    assert_eq!(brief(&out), ["2 88.1/a \"=1;\\n2\"", "4 b", "5 !identifier"]);

    let header = Header { format: TableFormat::Ndjson, ..reader.header().clone() };
    let mut out = Vec::new();
    let rejects = Rejects::new(header);
    rejects.begin(&mut out);
    rejects.add(&mut out, 3, b"{\xff\r\n", &[RowFault::new("", "json", "x")]);
    let line: Json = serde_json::from_slice(&out).unwrap();
    assert_eq!(line["line"], 3);
    assert_eq!(line["faults"][0]["rule"], "json");
    assert_eq!(line["text"], "{\u{fffd}");
}

#[test]
fn python_reads_what_we_write_and_we_what_it_writes() {
    let hostile = [
        "=1+1",
        "+A",
        "-A",
        "@x",
        "\tx",
        "\rx",
        "\nx",
        " =1",
        "\"=1",
        "'=1",
        "-5.2",
        "+5",
        "a,b",
        "a;b",
        "\"",
        "\"\"",
        "'",
        "two\r\nlines",
        " x ",
        "泵",
        "",
        "＝1",
        "=cmd|' /C calc'!A0",
    ];
    let mut table = Vec::from(BYTE_ORDER_MARK);
    write_row(&mut table, ["identifier", "n"]);
    for cell in hostile {
        write_row(&mut table, ["x", cell]);
    }
    let script = "import csv,io,sys\n\
        text = io.TextIOWrapper(sys.stdin.buffer, 'utf-8-sig', newline='')\n\
        out = io.TextIOWrapper(sys.stdout.buffer, 'utf-8', newline='')\n\
        rows = list(csv.reader(text))\n\
        for row in rows:\n\
        \tassert len(row) == 2, row\n\
        \tstart = row[1].lstrip(\"' \\\"\")[:1]\n\
        \tassert row[1] in ('-5.2', '+5') or row[1][:1] not in '=+-@\\t\\r\\n' or not row[1], row\n\
        csv.writer(out, delimiter=';').writerows(rows)\n";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3: run `make test`");
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), &table).unwrap();
    let written = python.wait_with_output().unwrap();
    assert!(written.status.success());
    let back = read(&written.stdout);
    assert_eq!(back.len(), hostile.len());
    for ((_, row), cell) in back.into_iter().zip(hostile) {
        let n = row.unwrap().attributes.unwrap().remove("n");
        let expected = Some(cell).filter(|cell| !cell.trim().is_empty());
        assert_eq!(n.as_ref().and_then(Json::as_str), expected);
    }
}

fn bytes_of_tables() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 11] = [
        b"a",
        b",",
        b"\"",
        b"\n",
        b"\r",
        b"\r\n",
        b"\xb1\xc3",
        b"\xff",
        b" ",
        b"\0",
        "泵".as_bytes(),
    ];
    let piece = prop::sample::select(pieces.to_vec());
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn reading_goes_on_at_every_place(body in bytes_of_tables(), wide in any::<bool>()) {
        let mut table = b"identifier,n\n".to_vec();
        table.extend_from_slice(&body);
        if wide {
            let text = format!("\u{feff}{}", String::from_utf8_lossy(&table));
            table = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        }
        let mut reader = open(&table).unwrap();
        let plan = Plan::new(reader.header(), None).unwrap();
        let mut places = vec![reader.place()];
        let mut all = Vec::new();
        while let Some(row) = reader.next_row(&plan).unwrap() {
            places.push(reader.place());
            all.push(format!("{row:?}"));
        }
        for (position, place) in places.into_iter().enumerate() {
            let place = serde_json::from_value(serde_json::to_value(place).unwrap()).unwrap();
            let Place { offset, .. } = place;
            let rest = Trickle(&table[offset as usize..], 3);
            let mut reader = TableReader::resume(rest, reader.header().clone(), place);
            let mut again = Vec::new();
            while let Some(row) = reader.next_row(&plan).unwrap() {
                again.push(format!("{row:?}"));
            }
            prop_assert_eq!(&again, &all[position..]);
        }
    }

    #[test]
    fn written_rows_are_read(cells in prop::collection::vec("[^\0]{0,12}", 1..20)) {
        let mut table = Vec::new();
        write_row(&mut table, ["identifier", "n"]);
        for cell in &cells {
            write_row(&mut table, ["x", cell]);
        }
        let rows = read(&table);
        prop_assert_eq!(rows.len(), cells.len());
        for ((_, row), cell) in rows.into_iter().zip(&cells) {
            let n = row.unwrap().attributes.unwrap().remove("n");
            let expected = Some(cell.as_str()).filter(|cell| !cell.trim().is_empty());
            prop_assert_eq!(n.as_ref().and_then(Json::as_str), expected);
        }
    }

    #[test]
    fn any_bytes_are_read(bytes in any::<Vec<u8>>(), choice in 0..2_usize) {
        let format = [TableFormat::Csv, TableFormat::Ndjson][choice];
        if let Ok(mut reader) = TableReader::open(&bytes[..], format, Encoding::Automatic) {
            while reader.next_raw().unwrap().is_some() {}
            prop_assert_eq!(reader.place().offset, bytes.len() as u64);
        }
    }
}
