"""The questions of common knowledge: (id, paraphrases, sentence, one word)."""
from words import BABY, CAPITALS, CATEGORY, DAYS, MONTHS, OPPOSITES, PLURAL, SOUND, an

K = []


def add(key, sentence, word, *asks):
    K.append((key, list(asks), sentence, word[0].upper() + word[1:] + "."))


def cap(s):
    return s[0].upper() + s[1:]


for thing, color in [p.split(":") for p in """grass:green the sky:blue snow:white blood:red a banana:yellow coal:black
milk:white a tomato:red a lemon:yellow a carrot:orange the sun:yellow chocolate:brown the sea:blue a strawberry:red
an elephant:gray a pig:pink a frog:green a polar bear:white a crow:black a leaf:green""".replace("\n", " ")
        .replace(" the ", "|the ").replace(" a ", "|a ").replace(" an ", "|an ").replace(" snow", "|snow")
        .replace(" blood", "|blood").replace(" coal", "|coal").replace(" milk", "|milk")
        .replace(" chocolate", "|chocolate").split("|")]:
    add("color of " + thing, f"{cap(thing)} is {color}.", color, f"What color is {thing}?", f"Which color is {thing}?",
        f"What is the color of {thing}?", f"Tell me the color of {thing}.", f"What color does {thing} have?")

for a, s in SOUND.items():
    add("sound of " + a, f"{cap(an(a))} says {s}.", s, f"What does {an(a)} say?", f"What sound does {an(a)} make?",
        f"Which sound does {an(a)} make?", f"What is the sound of {an(a)}?", f"How does {an(a)} sound?")

for c, p in CAPITALS.items():
    add("capital of " + c, f"The capital of {c} is {p}.", p, f"What is the capital of {c}?",
        f"Which city is the capital of {c}?", f"Name the capital of {c}.", f"Tell me the capital of {c}.",
        f"What is the capital city of {c}?")

for a, n in [("dog", 4), ("cat", 4), ("spider", 8), ("bird", 2), ("horse", 4), ("bee", 6), ("cow", 4), ("ant", 6),
             ("duck", 2)]:
    add("legs of " + a, f"{cap(an(a))} has {n} legs.", str(n), f"How many legs does {an(a)} have?",
        f"How many legs has {an(a)}?", f"What is the number of legs of {an(a)}?",
        f"Tell me how many legs {an(a)} has.", f"Count the legs of {an(a)}.")

for a, b in OPPOSITES:
    for x, y in ((a, b), (b, a)):
        add("opposite of " + x, f"The opposite of {x} is {y}.", y, f"What is the opposite of {x}?",
            f"Tell me the opposite of {x}.", f"Which word is the opposite of {x}?", f"Name the opposite of {x}.",
            f"{cap(x)} is the opposite of what?")

for a, b in BABY.items():
    add("baby of " + a, f"A baby {a} is {an(b)}.", b, f"What is a baby {a}?", f"What is a baby {a} called?",
        f"What do you call a baby {a}?", f"How do you call a baby {a}?", f"What is the name for a baby {a}?")

for who, where in [("fish", "in water"), ("bees", "in hives"), ("birds", "in nests"), ("camels", "in the desert"),
                   ("bears", "in the forest"), ("monkeys", "in trees"), ("whales", "in the sea"), ("cows", "on farms"),
                   ("frogs", "in ponds"), ("people", "in houses"), ("penguins", "in the cold")]:
    add("home of " + who, f"{cap(who)} live {where}.", where.split()[-1], f"Where do {who} live?",
        f"In what place do {who} live?", f"Tell me where {who} live.", f"Where can I find {who}?",
        f"Where is the home of {who}?")

for who, what in [("cows", "grass"), ("rabbits", "carrots"), ("monkeys", "bananas"), ("pandas", "bamboo"),
                  ("lions", "meat"), ("horses", "hay"), ("birds", "seeds"), ("cats", "mice")]:
    add("food of " + who, f"{cap(who)} eat {what}.", what, f"What do {who} eat?", f"What do {who} like to eat?",
        f"What is the food of {who}?", f"Tell me what {who} eat.", f"Which food do {who} eat?")

for job, does, base in [("baker", "bakes bread", "bake bread"), ("teacher", "teaches children", "teach children"),
                        ("pilot", "flies a plane", "fly a plane"), ("firefighter", "puts out fires", "put out fires"),
                        ("doctor", "helps sick people", "help sick people"), ("farmer", "grows food", "grow food"),
                        ("cook", "makes meals", "make meals"), ("painter", "paints pictures", "paint pictures"),
                        ("driver", "drives a bus", "drive a bus"), ("singer", "sings songs", "sing songs"),
                        ("writer", "writes books", "write books"), ("barber", "cuts hair", "cut hair"),
                        ("dentist", "fixes teeth", "fix teeth"), ("sailor", "sails a ship", "sail a ship")]:
    add("who " + does, f"A {job} {does}.", job, f"Who {does}?", f"Which person {does}?", f"Who can {base}?",
        f"Tell me who {does}.", f"Whose job is it to {base}?")

for i, d in enumerate(DAYS):
    n = DAYS[(i + 1) % 7]
    add("day after " + d, f"{n} comes after {d}.", n, f"What day comes after {d}?", f"Which day comes after {d}?",
        f"What is the day after {d}?", f"Name the day after {d}.", f"Which day follows {d}?")
for i, d in enumerate(MONTHS):
    n = MONTHS[(i + 1) % 12]
    add("month after " + d, f"{n} comes after {d}.", n, f"What month comes after {d}?",
        f"Which month comes after {d}?", f"What is the month after {d}?", f"Name the month after {d}.",
        f"Which month follows {d}?")

for what, n in [("days are in a week", 7), ("months are in a year", 12), ("hours are in a day", 24),
                ("minutes are in an hour", 60), ("seconds are in a minute", 60), ("wheels are on a car", 4),
                ("wheels are on a bike", 2), ("fingers are on a hand", 5), ("cents are in a dollar", 100),
                ("seasons are in a year", 4), ("letters are in the alphabet", 26), ("sides are on a triangle", 3),
                ("sides are on a square", 4)]:
    thing, rest = what.split(" are ")
    one = rest.split(" ", 1)[1]
    add(thing + " " + rest, f"There are {n} {thing} {rest}.", str(n), f"How many {thing} are {rest}?",
        f"How many {thing} are there {rest}?", f"How many {thing} does {one} have?",
        f"Tell me how many {thing} {one} has.", f"What is the number of {thing} {rest}?")

for key, s, w, *asks in [
    ("ice", "Ice is frozen water.", "water", "What is ice?", "What is ice made of?", "What is frozen water?"),
    ("rain", "Rain falls from clouds.", "rain", "What falls from clouds?", "What comes from clouds?",
     "What do clouds bring?"),
    ("moon", "The moon shines at night.", "moon", "What shines at night?", "What shines in the night?",
     "What gives light at night?"),
    ("sun", "The sun shines in the day.", "sun", "What shines in the day?", "What gives light in the day?",
     "What shines during the day?"),
    ("planet", "We live on Earth.", "Earth", "What planet do we live on?", "Which planet do we live on?",
     "What is the name of our planet?", "On which planet do people live?"),
    ("fly", "Birds fly with wings.", "wings", "How do birds fly?", "How can birds fly?", "What do birds fly with?",
     "What do birds use to fly?", "Tell me how birds fly."),
    ("swim", "Fish swim with fins.", "fins", "How do fish swim?", "How can fish swim?", "What do fish swim with?",
     "Tell me how fish swim."),
    ("honey", "Bees make honey.", "honey", "What do bees make?", "What comes from bees?", "Tell me what bees make.",
     "What food do bees make?"),
    ("milk", "Cows give milk.", "milk", "What do cows give?", "What do cows give us?", "What comes from cows?",
     "What drink do cows give?"),
    ("eggs", "Hens lay eggs.", "eggs", "What do hens lay?", "What do hens give us?", "What comes from hens?"),
    ("wool", "Sheep give wool.", "wool", "What do sheep give?", "What do sheep give us?", "What comes from sheep?"),
    ("bread", "Bread is made of flour.", "flour", "What is bread made of?", "What is in bread?",
     "What do you need to make bread?"),
    ("see", "We see with our eyes.", "eyes", "What do we see with?", "How do we see?", "How do people see?"),
    ("hear", "We hear with our ears.", "ears", "What do we hear with?", "How do we hear?", "How do people hear?"),
    ("smell", "We smell with our nose.", "nose", "What do we smell with?", "How do we smell?",
     "How do people smell things?"),
    ("breathe", "We breathe air.", "air", "What do we breathe?", "What do people breathe?",
     "What do we need to breathe?"),
    ("biggest", "The whale is the biggest animal.", "whale", "What is the biggest animal?",
     "Which animal is the biggest?", "Name the biggest animal."),
    ("tallest", "The giraffe is the tallest animal.", "giraffe", "What is the tallest animal?",
     "Which animal is the tallest?", "Name the tallest animal."),
    ("fastest", "The cheetah is the fastest animal.", "cheetah", "What is the fastest animal?",
     "Which animal is the fastest?", "Name the fastest animal."),
    ("king of animals", "The lion is the king of animals.", "lion", "Who is the king of animals?",
     "Which animal is the king?", "Which animal is the king of animals?"),
    ("after winter", "Spring comes after winter.", "spring", "What comes after winter?",
     "Which season comes after winter?", "What season follows winter?"),
    ("after spring", "Summer comes after spring.", "summer", "What comes after spring?",
     "Which season comes after spring?", "What season follows spring?"),
    ("after summer", "Autumn comes after summer.", "autumn", "What comes after summer?",
     "Which season comes after summer?", "What season follows summer?"),
    ("after autumn", "Winter comes after autumn.", "winter", "What comes after autumn?",
     "Which season comes after autumn?", "What season follows autumn?"),
    ("fire hot", "Yes, fire is hot.", "yes", "Is fire hot?", "Is a fire hot?", "Is it true that fire is hot?"),
    ("ice cold", "Yes, ice is cold.", "yes", "Is ice cold?", "Is ice a cold thing?", "Is it true that ice is cold?"),
    ("sun cold", "No, the sun is hot.", "no", "Is the sun cold?", "Is the sun a cold thing?",
     "Is it true that the sun is cold?"),
    ("fish fly", "No, fish swim.", "no", "Can fish fly?", "Do fish fly?", "Is it true that fish fly?"),
    ("birds can fly", "Yes, birds can fly.", "yes", "Can birds fly?", "Do birds fly?", "Is it true that birds fly?"),
    ("earth round", "Yes, the Earth is round.", "yes", "Is the Earth round?", "Is our planet round?",
     "Is it true that the Earth is round?"),
]:
    add(key, s, w, *asks)

for w, c in CATEGORY.items():
    if c in ("color", "month"):
        continue
    it = w if c in ("drink", "sport") else an(w)
    add("what is " + w, f"{cap(it)} is {an(c)}.", c, f"What is {it}?", f"What kind of thing is {it}?",
        f"Tell me what {it} is.", f"What type of thing is {it}?")

for w, p in PLURAL.items():
    add("plural of " + w, f"The plural of {w} is {p}.", p, f"What is the plural of {w}?",
        f"Tell me the plural of {w}.", f"Name the plural of {w}.", f"Which word is the plural of {w}?")

assert len({k[0] for k in K}) == len(K)
_seen = {}
for _k, _asks, *_ in K:
    for _a in _asks:
        assert _seen.setdefault(_a, _k) == _k, (_a, _k, _seen[_a])

if __name__ == "__main__":
    for key, asks, sentence, word in K:
        print(f"{asks[0]:48s} {sentence}")
