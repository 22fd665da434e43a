"""Word lists for the dialogue generator."""

NAMES = """Anna Ben Clara David Emma Felix Grace Henry Ida Jack Kate Leo Maria Noah Olga Paul Rosa Sam Tina Victor
Alice Bob Carol Dan Eva Frank Gina Hugo Ivan Julia Karl Lena Max Nina Oscar Peter Ruth Simon Tom Ursula Vera Will
Yara Zoe Adam Bella Chris Diana Erik Fiona George Hana Isaac Jane Kim Laura Mark Nora Otto Petra Rita Stefan Thea
Uma Walter Xenia Yusuf Aisha Ali Amir Chen Fatima Hiro Ines Jamal Kofi Lin Mei Omar Priya Ravi Sara Tariq Wei Yuki
Amy Andy Beth Billy Cindy Dora Eddie Ella Fred Gary Hanna Jim Joe Kelly Lucy Mike Molly Nick Pam Rob Sally Ted Wendy
""".split()
# Never used in training: the model has to copy a name that it has never seen.
NAMES_HELD = """Abel Boris Celine Dario Elsa Fabio Gloria Hector Irene Jonas Kira Lydia Martin Naomi Osman Paula Quentin
Rafael Sonia Theo Ulrich Viola Wanda Xavier Yvonne Zara Anton Bianca Carlos Daphne""".split()

CAPITALS = dict(p.split(":") for p in """France:Paris Italy:Rome Spain:Madrid Germany:Berlin England:London Japan:Tokyo
China:Beijing Russia:Moscow Egypt:Cairo Greece:Athens Portugal:Lisbon Poland:Warsaw Norway:Oslo Austria:Vienna
Ireland:Dublin Cuba:Havana Peru:Lima Kenya:Nairobi Canada:Ottawa Hungary:Budapest Denmark:Copenhagen Finland:Helsinki
Turkey:Ankara Sweden:Stockholm""".split())
COUNTRIES = list(CAPITALS)
CITIES = list(CAPITALS.values()) + "Boston Milan Geneva Sydney Mumbai Lagos Zurich Bergen Porto Kyoto".split()

OPPOSITES = [p.split(":") for p in """hot:cold big:small up:down fast:slow happy:sad day:night black:white old:young
open:closed wet:dry high:low long:short light:dark hard:soft full:empty rich:poor early:late left:right good:bad
strong:weak clean:dirty loud:quiet thick:thin yes:no in:out true:false first:last near:far easy:difficult
sweet:sour""".split()]
OPPOSITE = {a: b for a, b in OPPOSITES} | {b: a for a, b in OPPOSITES}

CATEGORY = {}
for _cat, _ws in {
    "animal": "cat dog horse cow sheep lion bear fox rabbit frog tiger wolf",
    "fruit": "apple pear plum lemon cherry grape peach melon",
    "color": "red blue green yellow white black pink gray",
    "flower": "rose tulip daisy lily",
    "tool": "hammer saw drill shovel",
    "drink": "tea coffee milk juice",
    "vehicle": "car bus train truck",
    "bird": "owl duck hen eagle",
    "sport": "tennis soccer hockey golf",
    "month": "May June July March",
}.items():
    for _w in _ws.split():
        CATEGORY[_w] = _cat

PLURAL = {w: w + "s" for w in """cat dog horse cow lion bear rabbit frog tiger apple pear plum lemon car truck train
hammer drill rose tulip owl duck hen eagle book table chair door cup lamp boat hat ball tree house bed bird spider
banana carrot egg spoon fork plate bag coat key ring shoe sock kite drum star cloud river road shop song king queen
robot wizard ghost pilot doctor teacher farmer painter""".split()}
PLURAL |= {"fox": "foxes", "bus": "buses", "box": "boxes", "glass": "glasses", "child": "children", "mouse": "mice",
           "foot": "feet", "tooth": "teeth", "man": "men", "woman": "women", "city": "cities", "baby": "babies",
           "wolf": "wolves", "leaf": "leaves", "knife": "knives", "cherry": "cherries", "daisy": "daisies"}

BABY = dict(p.split(":") for p in "dog:puppy cat:kitten cow:calf sheep:lamb hen:chick horse:foal duck:duckling bear:cub"
            .split())
SOUND = dict(p.split(":") for p in
             "cow:moo dog:woof cat:meow duck:quack sheep:baa pig:oink lion:roar bee:buzz mouse:squeak owl:hoot".split())

COLORS = "red blue green yellow white black pink gray brown orange purple".split()
FOODS = """tea coffee milk juice bread cake rice soup honey cheese fish pizza pasta salad apples pears plums lemons
cherries grapes bananas carrots eggs nuts beans""".split()
ANIMALS = "cat dog horse cow sheep rabbit frog fox duck hen owl mouse pig bird fish spider bear lion tiger".split()
JOBS = "baker teacher pilot doctor farmer cook painter driver singer writer barber dentist nurse judge sailor king".split()
GAMES = "tennis soccer hockey golf chess cards piano violin guitar drums flute".split()
OBJECTS = """car door hat cup ball lamp chair boat bike coat key book box bag ring table bed shoe kite phone clock
spoon plate map pen drum vase rope""".split()
PLACES = """kitchen garden garage cellar attic office hall bedroom school shop forest barn tower library box bag car
drawer""".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
EVENTS = "party test concert game meeting wedding trip race market show dance lesson".split()
CODES = "door safe bike gate lock garage phone locker".split()
SEASONS = "spring summer autumn winter".split()
SPORTS = "tennis soccer hockey golf chess".split()
TOPICS = {"color": COLORS, "food": FOODS, "animal": ANIMALS, "city": CITIES, "day": DAYS, "season": SEASONS,
          "game": GAMES, "month": MONTHS, "number": None}
WEATHER = "sunny rainy windy cloudy cold hot foggy snowy dry warm".split()


LABELS = """password answer winner team word plan boss prize topic gift goal rule title captain room street address
flight menu friend score hero guest color""".split()
LABELS += ["train number", "magic word", "best song", "next stop", "top score", "team name", "bus number",
                        "color of the day", "word of the day", "dish of the day"]
MATERIALS = "wood stone glass paper iron gold silver wool".split()
VEHICLES = "car bus train truck boat bike tractor taxi".split()
PIECES = NAMES + CITIES + COUNTRIES + OBJECTS + FOODS + ANIMALS + JOBS + PLACES + EVENTS + list(PLURAL)


def an(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def invent(r, capital=False):
    """An invented word, so that copying does not depend on known words."""
    x = r.random()
    if x < 0.4:  # syllables: tavori
        w = "".join(r.choice("bcdfghjklmnprstvwz") + r.choice("aeiou") + (r.choice("nrlst") if r.random() < 0.2 else "")
                    for _ in range(r.choice((1, 2, 2, 2, 3))))
    elif x < 0.6:  # with an open beginning and clusters: irbente
        w = r.choice(("", *"aeiouyaeiou")) + "".join(
            r.choice(("br", "ch", "d", "f", "gl", "k", "l", "m", "n", "p", "qu", "r", "s", "st", "th", "v", "x", "z", "sh"))
            + r.choice(("a", "e", "i", "o", "u", "ai", "ee", "ie", "ia", "au"))
            + r.choice(("", "", "", "l", "n", "r", "ck", "m", "th", "x")) for _ in range(r.choice((1, 1, 2))))
    elif x < 0.85:  # two halves of known words: Clavid
        a, b = r.choice(PIECES), r.choice(PIECES)
        w = (a[:r.randint(1, len(a))] + b[r.randint(0, len(b) - 1):])[:10].lower()
    else:  # any letters: xqueb
        w = "".join(r.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(r.randint(3, 7)))
    if len(w) < 3:
        w += r.choice("bdgklmnprst") + r.choice("aeiou")
    if w.capitalize() in NAMES_HELD:
        return invent(r, capital)
    return w.capitalize() if capital else w
