"""Texts that tokenizers stumble over; the vectors of several folders here are made from them. All invented, except that the multilingual
sentences are common phrases. Characters are those of Unicode 11 and older: later ones differ between the oracles' own tables."""
import random

HAND = [
    "", " ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n\n", " \n", "\n ", "\t\n", "\u00a0", "\u3000", "\u200b", "\ufeff", "a", " a", "a ", "  a  ", "\na",
    "a\n", "Hello world", " Hello world", "Hello  world", "Hello   world ", "Hello\tworld", "Hello\t\t world\t", "Hello\r\nworld\r\n",
    "Hello\n\n\n  world  \n \n", "line\r\n\r\nline\rline", "I'm you're he'd we've they'll it's don't can't", "I'M YOU'RE HE'D WE'VE THEY'LL IT'S DON'T CAN'T",
    "I\u2019m you\u2019re don\u2019t IT\u2019S", "'s'S 'tis ''s '' ' '\u017f 'LL 'lL'Re'VE 'dD 'mM", "o'clock rock'n'roll 'quoted' 'sad 'lly 'veto", "12",
    "123", "1234", "1234567890", "1,234,567.89", " 1 22 333 4444 55555", "3.14159 2e-10 0xFF 1/2 50% $9.99", "a1b22c333d", "1a22b333c", "v1.2.3-rc4+build5",
    "\u00b2\u00b3\u00b9 x\u00b2+y\u00b3 \u00bc\u00bd\u00be 1\u00bd",
    "\u0661\u0662\u0663\u0664 \u06f1\u06f2\u06f3\u06f4 \u0967\u0968\u0969\u096a \u0e51\u0e52\u0e53",
    "\u2160\u2161\u2162 \u2170 \u2460\u2461 \u4e00\u4e8c\u4e09 \u3007 \uff11\uff12\uff13", "snake_case camelCase PascalCase SCREAMING_CASE kebab-case",
    "XMLHttpRequest HTTPServer iPhone McDonald eBay NaN", "int main(void) { return a[i]++ ? *p->q : ~x & 0xff; }",
    "def f(x):\n    return x**2\n\n\nclass A:\n\tpass\n", "<html>\n  <p class=\"a\">text &amp; more</p>\n</html>", "if(a&&b||!c){d<<=2;e>>=3;}//x",
    "https://www.example.org/path/to?q=1&r=%20#frag user@example.org", "C:\\Users\\x\\y.txt \\n \\u0041", "!!!???...,,,;;;:::",
    "--- === *** ___ ~~~ ``` \"\"\" '''", "(a)[b]{c}<d>|e|", "a.b,c;d:e!f?g",
    "\u00ab guillemets \u00bb \u201equotes\u201c \u201cquotes\u201d \u2018x\u2019 \u2039y\u203a",
    "em\u2014dash en\u2013dash minus\u2212hyphen\u2010\u2011 ellipsis\u2026", "\u00a1Hola! \u00bfQu\u00e9? \u00a9\u00ae\u2122 \u00a7\u00b6\u2020\u2021",
    "\u20ac5 \u00a36 \u00a57 \u20b98 \u20bd9", "a+b=c a<b a>b a^b a|b a~b a`b", "\u2200x\u2208\u211d: x\u00b2\u22650 \u2211\u222b\u221a\u221e \u2192\u21d2",
    "caf\u00e9 na\u00efve r\u00e9sum\u00e9 \u00c5ngstr\u00f6m \u00fcber stra\u00dfe STRASSE",
    "cafe\u0301 nai\u0308ve A\u030angstro\u0308m \u1e9e\u0323\u0307 q\u0307\u0323", "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307 \u0301 \u0301\u0301",
    "\u0130stanbul \u0131\u0130iI \u01c5\u01c4\u01c6 \u01f2 \ufb01\ufb02 \u017fS \u03a3\u03c3\u03c2", "\u1f88\u1f80 \u1fbc \u0345 \u03aa\u0301 \u1e0d\u0307",
    "\u0391\u03b8\u03ae\u03bd\u03b1 \u03b5\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac \u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u043b\u043a\u0430 \u0439 \u0438\u0306",
    "\u0531\u0561\u0562\u0563 \u10d0\u10d1\u10d2 \u10a0\u10a1 \u1c90\u1c91 \u13a0\u13a1 \uab70\uab71 \u2c00\u2c30 \u0250\u0251 \u02b0\u02b1 \u1d00 "
    "\u0294\u0295 \u01bb \u01c0\u01c1",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 "
    "\u0627\u0644\u0652\u0639\u064e\u0631\u064e\u0628\u0650\u064a\u0651\u064e\u0629\u064f \u06f4\u0665 \u061f \u0640\u0640",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e \u0915\u094d\u0937\u0924\u094d\u0930\u093f\u092f "
    "\u0939\u093f\u0928\u094d\u200d\u0926\u0940 \u0964",
    "\u09ac\u09be\u0982\u09b2\u09be \u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u0c24\u0c46\u0c32\u0c41\u0c17\u0c41 \u0dc3\u0dd2\u0d82\u0dc4\u0dbd",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01 \u0e01\u0e33\u0e19\u0e49\u0e33 \u0e01\u0e4d\u0e32",
    "\u0ea5\u0eb2\u0ea7 \u1019\u103c\u1014\u103a\u1019\u102c \u1781\u17d2\u1798\u17c2\u179a \u0f56\u0f7c\u0f51\u0f0b",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01\u8fd9\u662f2024\u5e74\u3002",
    "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c\u3002\u30ab\u30bf\u30ab\u30ca\u30fc \u304c \u304b\u3099 \uff76\uff9e",
    "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4 \u1112\u1161\u11ab \u314e\u314f", "\u4e2d\u6587English\u6df7\u5408123\u6587\u672c",
    "\U00020000\U0002a6d6 \uf900 \U0002f800", "\U0001d400\U0001d401 \U0001d7ce\U0001d7cf \U00010400\U00010428 \U0001e900\U0001e922 \U000104b0\U000104d8",
    "\U0001f600 \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7 \u2764\ufe0f "
    "\u2764 1\ufe0f\u20e3 \U0001f3f3\ufe0f\u200d\U0001f308",
    "x\U0001f680y\U0001f680\U0001f680 z", "zero\u200bwidth\u200cjoin\u200der\u2060word\ufeffbom", "soft\u00adhyphen \u202aembed\u202c \u2066iso\u2069 \u061c",
    "nbsp\u00a0here\u00a0\u00a0and narrow\u202fnbsp \u2009thin\u2009 \u3000wide\u3000 \u1680ogham\u1680 \u180emongol\u180e",
    "\u2028line\u2029para\u0085next\u000bvt\u000cff\u001cfs\u001fus", "\ue000\uf8ff private \U000f0000\U0010fffd",
    "bell\u0007 esc\u001b[31m del\u007f c1\u0080\u009f", "\ufffd replaced \ufffd\ufffd \ufffc", "nonchar \ufdd0 \U0001ffff",
    "    four\n        eight\n\ttab\n", "a" + " " * 60 + "b", " " * 100, "\n" * 40, "\t" * 17 + "x", "a  b   c    d     e      f", "x \u00a0 y \n\u00a0\n z",
    "word " * 12, "la" * 60, "ab" * 200, "A" * 90 + "b" * 90, "-" * 80, "=" * 33 + "\n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "The quick brown fox jumps over the lazy dog. THE QUICK BROWN FOX! The Quick Brown Fox?",
    "Mr. O'Neill's \"100%\" plan (2nd ed.), pp. 12-34; cf. \u00a7 5\u00b6", "e.g. i.e. U.S.A. Ph.D. a.m.",
    "#hashtag @mention $VAR %d &amp; *bold* _it_ ~del~", "[UNK] [CLS] <s> </s> <unk> <|endoftext|> <0x41> \u2581x \u2581\u2581",
    "\u0120x \u010a \u0100 \u0143 \u00c3\u00a9", "##ing ## # a##b", "can't've shouldn't've y'all'd've",
    "\u02bcn \u02bbokina \u02c8stress \u02d0 \u00b4 ` \u00a8 ^ \u02c6",
    "\u00aa\u00ba \u00b5 \u212a \u2126 \u212b \u2102 \u2115 \u2183\u2184 \u24b6\u24d0 \uff21\uff41",
]

ATOMS = [
    "a", "b", "the", "The", "THE", "aB", "Ab", " ", " ", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "'", "\u2019", "'s", "'S", "'ll", "'LL", "'Ve",
    "1", "23", "456", "7890", "\u0663", "\u00b2", "\u00bd", "\u2167", ".", ",", "!", "?!", "-", "\u2014", "(", ")", "\"", "/", "//", "_", "$", "+", "<", "|",
    "`", "~", "^", "\u20ac", "\u00d7", "\u00e9", "e\u0301", "\u0301", "\u0323", "\u00df", "\u00c9", "\u0130", "\u01c5", "\u03a3", "\u0436", "\u0416",
    "\u0628", "\u064f", "\u05d0", "\u0928", "\u093f", "\u094d", "\u0e01", "\u0e31", "\u0e33", "\u4e2d", "\u6587", "\u3042", "\u30a2", "\uac00", "\uff0c",
    "\u3002", "\uff21", "\uff11", "\u200d", "\u200b", "\ufeff", "\U0001f600", "\U0001f3fd", "\ufe0f", "\ue000", "\U00010428", "\U0001d7ce", "\U00020000",
    "\u0345", "\u180e", "\u2028", "\u0085", "\u00ad", "\ufffd", "\x07", "\x1f", "\u24d0", "\u02b0", "\u1d00",
]


def texts(n_random=120, seed=20):
    r = random.Random(seed)
    return HAND + ["".join(r.choice(ATOMS) for _ in range(r.randint(2, 40))) for _ in range(n_random)]
