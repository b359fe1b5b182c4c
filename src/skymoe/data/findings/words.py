"""The word lists by which captions are read: things, words for how they lie to each other, and what is passed over.

Made from the captions of the training splits of RSICD and UCM-Captions (their 900 most frequent words and 260 most
frequent pairs, each read and sorted by hand); nothing of a test split was looked at. Another data set's nouns are added
by writing them here.
"""

from __future__ import annotations

THINGS = (
    # what grows, and ground
    "tree", "plant", "bush", "forest", "wood", "grass", "grassland", "lawn", "meadow", "pasture", "turf",
    "vegetation",
    "weed", "flower", "flower bed", "garden", "crop", "farmland", "field", "orchard", "bare land", "wasteland",
    "land",
    "ground", "desert", "dune", "sand", "rock", "stone", "hill", "mountain", "ridge", "valley", "snow",
    "ice", "chaparral", "oasis", "wetland", "mound", "branch", "shadow",
    # water
    "river", "stream", "lake", "pond", "sea", "ocean", "water", "wave", "ripple", "foam", "spray", "beach", "shore",
    "coast", "coastline", "bank", "island", "spring", "fountain", "basin",
    # roads, rails, harbours, airports
    "road", "street", "path", "trail", "highway", "freeway", "overpass", "viaduct", "bridge", "intersection",
    "crossroads", "roundabout", "junction", "railway", "rail", "railway station", "track", "running track", "train",
    "car", "truck", "bus", "van", "vehicle", "parking lot", "parking space", "port", "harbor", "wharf", "pier",
    "dock",
    "boat", "ship", "yacht", "container", "airport", "airplane", "runway", "terminal", "apron", "taxiway", "luggage",
    "tarmac", "mark line", "road marking", "stripe",
    # buildings and what belongs to them
    "building", "house", "villa", "mobile home", "mobile home park", "apartment", "cottage", "residence", "roof",
    "dome",
    "tower", "skyscraper", "church", "school", "teaching building", "gym", "stadium", "bleachers", "factory",
    "workshop", "storage tank", "pipe", "terminal building", "center", "square", "resort", "park",
    "playground", "swimming pool", "tennis court", "basketball court", "basketball field", "badminton court",
    "football field", "baseball field", "golf course", "bunker", "court", "awning", "umbrella", "gate", "wall",
    "farm",
    "village", "town", "city", "campus", "street lamp", "community", "neighborhood",
    # who is there
    "people", "pedestrian", "ferris wheel",
)  # fmt: skip

# Stretches of land that a caption places things in: ends of relations and themes, not objects.
PLACES = (
    "residential area",
    "industrial area",
    "commercial area",
    "urban area",
    "mountain area",
    "scenic area",
)

# Other spellings and names → the thing; singular, their plurals are understood too. Typing mistakes as they occur.
MEANS = {
    "plane": "airplane", "aeroplane": "airplane", "aircraft": "airplane", "automobile": "car", "vessel": "ship",
    "harbour": "harbor", "railwaystation": "railway station", "train station": "railway station",
    "railroad": "railway", "rail track": "railway", "railway track": "railway", "parking": "parking lot",
    "parkinglot": "parking lot", "parking spot": "parking space", "pool": "swimming pool", "tank": "storage tank",
    "oil tank": "storage tank", "storagetank": "storage tank", "oil storage tank": "storage tank",
    "bareland": "bare land", "loess ground": "bare land", "baseball diamond": "baseball field",
    "baseballfield": "baseball field", "diamond": "baseball field", "footballground": "football field",
    "football ground": "football field", "soccer field": "football field", "football pitch": "football field",
    "football playground": "football field", "basketball ground": "basketball court", "sand bunker": "bunker",
    "mountainpeak": "mountain", "mountain peak": "mountain", "farmfield": "farmland", "farm land": "farmland",
    "formland": "farmland", "cropland": "farmland", "farmlang": "farmland", "wheat field": "farmland",
    "seawater": "water", "sand beach": "beach", "cross point": "intersection", "yard": "garden",
    "backyard": "garden", "edifice": "building", "rainforest": "forest",
    "jungle": "forest", "woods": "wood", "mark": "mark line", "marking line": "mark line", "white line": "mark line",
    "containter": "container", "termial": "terminal", "trailer": "vehicle", "person": "people", "men": "people",
    "man": "people", "golf": "golf course", "coursea": "golf course", "crossing": "intersection",
    "flyover": "viaduct", "foasm": "foam", "residential district": "residential area",
    "residential region": "residential area", "residential zone": "residential area", "neighbourhood": "neighborhood",
    "business district": "commercial area", "commercial district": "commercial area",
    "industrial park": "industrial area", "industrial zone": "industrial area", "urban region": "urban area",
    "building block": "building", "block": "building", "gymnasium": "gym", "tennis field": "tennis court",
    "tree line": "tree", "center building": "center", "residential building": "building",
    "terrace": "building", "red track": "running track", "footpath": "path", "pathway": "path",
    "parking area": "parking lot", "playfield": "playground", "sports field": "playground",
    "vegatation": "vegetation",
    "traffic circle": "roundabout", "mobilehome": "mobile home", "expressway": "highway", "pitch": "football field",
}  # fmt: skip

# The word that a relation is written with, and how captions say it. Regular expressions; the longest match counts.
RELATIONS = {
    "along": (
        r"(?:in|on|at|along|by) (?:the )?(?:two|both|either|each) (?:sides?|banks?) of",
        r"(?:along )?both (?:sides|banks) of", r"(?:in|on|at) (?:the )?sides of", r"along", r"lining",
    ),
    "surrounded by": (
        r"(?:surr?ounded|surrouned|encircled|enclosed|embraced|circled|encompassed) (?:by|with)",
    ),
    "around": (r"a?r?round", r"arround", r"surround(?:s|ing)?", r"all sides of", r"encircl(?:e|es|ing)"),
    "beside": (
        r"besides?", r"aside", r"next to", r"alongside", r"adjacent to",
        r"(?:in|on|at|by) (?:the |one )+(?:other )?side of",
        r"(?:in|on|at) (?:the )?(?:left|right|another|north|south|east|west) side of", r"at the edge of",
        r"(?:in|on|at) (?:the |one )?(?:bank|shore|roadside) of", r"against",
    ),
    "in front of": (r"(?:in|at) (?:the )?front of",),
    "behind": (r"behind", r"at the back of"),
    "near": (r"near(?:by)?(?: to)?", r"close to", r"not far from", r"between", r"among"),
    "across": (r"across", r"cross(?:es|ing)?", r"travers(?:es|ing|e)", r"stretch(?:es)? over"),
    "through": (r"through(?:out)?", r"cut(?:s|ting) through"),
    "over": (r"over", r"above", r"spans?", r"spanning"),
    "under": (r"under", r"below", r"beneath"),
    "divided by": (r"(?:divided|separated|split) (?:by|with)",),
    "at the corners of": (r"(?:at|in|on) (?:the )?(?:four |two |each )?(?:corners?|coners?) of",),
    "in": (r"in(?:side)?(?: the (?:cent(?:er|re)|heart|middle) of)?", r"within", r"at",),
    "on": (r"on(?: top of)?", r"upon", r"covers?"),
    "with": (
        r"with", r"contain(?:s|ing)?", r"includ(?:es|ing)", r"equipped with", r"ha(?:s|ve)", r"own(?:s|ing)",
        r"(?:consists?|composed?|made(?: up)?) of", r"compose by", r"decorated (?:by|with)", r"covered (?:by|with)",
        r"full of",
    ),
}  # fmt: skip

# What a statement is made with: a noun before one of these is its subject, and no relation reaches across them to the
# right. Participles ("parked", "arranged") are passed over like adjectives.
VERBS = (
    "is", "are", "was", "were", "there", "go", "goes", "pass", "passes", "passe", "run", "runs", "sit", "sits", "lie",
    "lies", "stands", "connects", "connect", "flows", "flow", "looks", "look", "forms", "seems", "can", "come",
    "comes",
    "grow", "grows", "flourish", "divide", "divides", "separates", "beat", "throw",
)  # fmt: skip
# These stand for something that was named elsewhere: a relation that leads to one is left out.
PRONOUNS = (
    "it", "them", "which", "that", "each other", "here", "others", "where", "whose", "while", "but", "who",
)  # fmt: skip
