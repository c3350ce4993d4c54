#!/usr/bin/env bash
# What one enterprise does with a node, from its application to a partner who sees more than others.
# Called by run.sh with the program, the folder of the node's data and its addresses. It shows each
# command before it runs it; what is there already is passed over, so that it can be run again.
set -euo pipefail
program=$1 data=$2 http=$3 dns=$4
export NAMEPLATE_SERVER=http://$http
prefix=88.118.610100
template=$prefix/template/product
pump=$prefix/PUMP-0001
table=$data/pumps.csv

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi

main() {
    staff=$NAMEPLATE_TOKEN
    if holds grant list --granter xian-pumps --template "$template"; then
        echo "The enterprise xian-pumps is here already: nameplate registrant show xian-pumps"
        return
    fi

    heading "An enterprise applies, and the node's staff looks at its papers"
    admit xian-pumps --name-zh 西安示例泵业有限公司 --name-en 'Xian Example Pumps' \
        --unified-code 91610100MA6TX4P12P --industry C34 --region 610100 --contact 王工,ids@pumps.example
    enterprise=$(token_of xian-pumps registrant-administrator)

    heading "It wishes for a prefix and gets it, with a quota"
    state=$(state_of prefix "$prefix")
    [ -n "$state" ] || show "$enterprise" prefix apply "$prefix" --identifiers 100000
    [ "${state:-applied}" != applied ] || show "$staff" prefix review "$prefix"
    [ "$(state_of prefix "$prefix")" != under-review ] ||
        show "$staff" prefix approve "$prefix" --valid-until 2036-01-01T00:00:00Z

    heading "It says what its records carry, and imports a table as its spreadsheet left it"
    holds template show "$template" ||
        show "$enterprise" template create "$template" --shipped product --publish
    if ! holds resolve "$pump"; then
        write_table
        show "$enterprise" job import "$table" --template "$template" --wait
        job=$(NAMEPLATE_TOKEN=$enterprise "$program" job list --json | sed -n 's/.*"id": "\(.*\)",/\1/p;T;q')
        show "$enterprise" job rejects "$job"
    fi
    [ -n "$(NAMEPLATE_TOKEN=$enterprise "$program" find --prefix "$prefix" --template "$template" \
        --where product_code:IS-65)" ] ||
        show "$enterprise" mint "$prefix" --template "$template" -a product_code=IS-65 -a name=离心泵 \
            -a model=IS-65 -a product_type=machinery -a maker=西安示例泵业有限公司

    heading "Anybody resolves it, over HTTP and DNS"
    run curl -s "http://$http/$pump" -o /dev/null -w '%{http_code} %{redirect_url}\n'
    run dig "@${dns%:*}" -p "${dns##*:}" +short "PUMP-0001._id.610100.118.88.id.example." TXT

    heading "The price is the holder's own, until a partner is granted it"
    admit beta-service --name-zh 上海示例服务有限公司 --unified-code 91310100MA1FL8B25M \
        --industry C34 --region 310100
    partner=$(token_of beta-service application)
    price "$partner"
    show "$enterprise" grant add --template "$template" --registrant beta-service --attribute unit_price
    price "$partner"
    price ''
}

# Brings a registrant to be active: name, then what it says of itself.
admit() {
    local state
    state=$(state_of registrant "$1")
    [ -n "$state" ] || show "$staff" registrant apply "$@"
    [ "${state:-applied}" != applied ] || show "$staff" registrant review "$1"
    [ "$(state_of registrant "$1")" != under-review ] ||
        show "$staff" registrant approve "$1" --reason 'licence seen'
}

# A token of the registrant's account, which is made when it is not there; kept beside the node's.
token_of() {
    local file=$data/$1.token
    if [ ! -s "$file" ]; then
        holds account show "$1" || show "$staff" account create "$1" --role "$2" --registrant "$1" >&2
        quiet token create --account "$1" >"$file"
    fi
    cat "$file"
}

# What the holder of a token, or nobody in particular, sees of the price.
price() {
    local who=${1:+the partner}
    say "curl $NAMEPLATE_SERVER/api/v1/identifiers/${pump/\//%2F}   # ${who:-everybody else}"
    curl -fsS ${1:+-H "Authorization: Bearer $1"} "$NAMEPLATE_SERVER/api/v1/identifiers/${pump/\//%2F}" |
        sed -n 's/.*"unit_price":"\([^"]*\)".*/unit_price \1/p;t;s/.*/no unit_price/p' | behind_bar
}

# As spreadsheets in China leave tables: GBK, and one row that is wrong.
write_table() {
    iconv -f UTF-8 -t GBK >"$table" <<'ROWS'
identifier,url,product_code,name,model,product_type,maker,net_weight,unit_price
88.118.610100/PUMP-0001,https://pumps.example/is80,IS-80,离心泵,IS-80,machinery,西安示例泵业有限公司,138.2,5680
88.118.610100/PUMP-0002,https://pumps.example/is100,IS-100,"离心泵,双级",IS-100,machinery,西安示例泵业有限公司,180,7200
88.118.610100/PUMP-0003,https://pumps.example/is125,IS-125,离心泵,IS-125,pump,西安示例泵业有限公司,heavy,9100
ROWS
}

state_of() {
    { quiet "$1" show "$2" --json || true; } | sed -n 's/^ *"state": *"\([^"]*\)".*/\1/p'
}

# Whether a question has an answer; `[]` is none.
holds() {
    local found
    found=$(quiet "$@" --json) && [ -n "$found" ] && [ "$found" != '[]' ]
}

quiet() {
    NAMEPLATE_TOKEN=$staff "$program" "$@" 2>/dev/null
}

# Shows a command of the program, runs it with a token and shows what it answers: the first line,
# or all lines of a job.
show() {
    local token=$1
    shift
    say nameplate "$@"
    # A job of which rows were refused says so with its exit code.
    { NAMEPLATE_TOKEN=$token "$program" "$@" 2>&1 || [ "$1" = job ]; } |
        case $1 in job) cat ;; *) sed -n 1p ;; esac | behind_bar
}

run() {
    say "$@"
    "$@" | behind_bar
}

say() {
    local word line=''
    for word; do
        case $word in
            *' '* | *'{'*) [ $# = 1 ] || word="'${word//\'/\'\\\'\'}'" ;;
        esac
        line+=" $word"
    done
    echo "${bold}\$$line${plain}"
}

behind_bar() {
    sed "s/^/$dim| /;s/\$/$plain/;\$a\\"
}

heading() {
    printf '\n%s\n' "$1"
}

main
