"""Every error code that people can see: what it means and what to try. The docs page is made from it."""

from typing import NamedTuple


class Entry(NamedTuple):
    """One line of the catalogue: a title, what it means, and what to try."""

    title: str
    meaning: str
    fix: str


CATALOGUE: dict[str, Entry] = {
    # 1xx: settings and wrong use
    "HAL-101": Entry(
        "A setting is out of its range",
        "A number given as an argument or in a file lies outside the range that the setting allows.",
        "Use a value in the range that the message states; shares are written 0.8, not 80.",
    ),
    "HAL-102": Entry(
        "An unknown setting or choice",
        "A name was given that is not one of the names accepted at this place.",
        "Use one of the names that the message lists.",
    ),
    "HAL-103": Entry(
        "An optional part is not installed",
        "The command or function needs packages that the bare installation leaves out.",
        "Run the pip line that the message prints.",
    ),
    "HAL-104": Entry(
        "A URL that cannot be used",
        "The address is not http:// or https://, or does not name a model as …/v2/models/NAME.",
        "Write it as https://HOST:PORT/v2/models/NAME.",
    ),
    "HAL-105": Entry(
        "A secret that is not there",
        "A secret was given by reference (env:NAME or file:PATH) and the reference leads nowhere.",
        "Set the variable or create the file that the message names.",
    ),
    "HAL-106": Entry(
        "Plaintext on an open network",
        "The server was asked to listen without TLS on an address that other machines can reach.",
        "Give --cert and --key, listen on 127.0.0.1, or accept the risk with --allow-plaintext.",
    ),
    "HAL-107": Entry(
        "An address that cannot be listened on",
        "The port is in use by another program, or this user may not open it.",
        "Stop the other program, or choose another port with --port.",
    ),
    "HAL-108": Entry(
        "A certificate or key that cannot be used",
        "A file given for TLS is not there, is not PEM, or the key does not belong to the certificate.",
        "Give PEM files: the certificate chain, its unencrypted key, the authorities to trust.",
    ),
    "HAL-109": Entry(
        "No terminal here",
        "The command reads single keys or asks before it goes on, and its input or output is no terminal.",
        "Leave the flag out, answer ahead with --yes, or run the command in a terminal.",
    ),
    "HAL-110": Entry(
        "A policy file that cannot be used",
        "The file is missing, is not TOML, lacks a setting or has one that is not known, or is damaged.",
        "Correct what the message names, or make the file anew with `halocline tune`.",
    ),
    "HAL-111": Entry(
        "A cache that cannot be written",
        "The cloud's answers are kept so that they are paid for once, and the folder for them takes no file.",
        "Make the folder writable, name another in HALOCLINE_CACHE, or keep none: cache=False, --no-cache.",
    ),
    # 2xx: models
    "HAL-201": Entry(
        "A model that does not load",
        "The file is missing, is not an ONNX model, or needs an operator that this runtime lacks.",
        "Check the path, and try `halocline model inspect` on the file.",
    ),
    "HAL-202": Entry(
        "No telling what the scores are",
        "The model's graph does not show whether its output holds probabilities or logits.",
        'Say it: scores="logits" or scores="probabilities"; or the task of a model that is no classifier.',
    ),
    "HAL-203": Entry(
        "Labels that do not fit",
        "The number of labels differs from the number of classes, or the label file cannot be read.",
        "Give one label for each class, in the order of the model's outputs.",
    ),
    "HAL-204": Entry(
        "The tiers disagree about the labels",
        "The labels of the edge model and of the cloud model are not the same set of names.",
        "Give label_map={cloud label: edge label} to Tiered.",
    ),
    "HAL-205": Entry(
        "An execution provider that is not there",
        "The provider asked for is not built into the installed ONNX Runtime, or refused the model.",
        "Use one of the providers that the message lists, or install the runtime that carries it.",
    ),
    "HAL-206": Entry(
        "A folder of models that cannot be served",
        "The folder holds no NAME/VERSION/model.onnx, or two models claim the same name and version.",
        "Lay the folder out as NAME/VERSION/model.onnx.",
    ),
    "HAL-207": Entry(
        "A policy that was made for another model",
        "The policy names by digest the edge model that it was tuned for, and the one loaded is another.",
        "Load the model that the message names, or tune a policy for this one with `halocline tune`.",
    ),
    "HAL-208": Entry(
        "A description of a model that cannot be used",
        "The file or value that says what a model's input means is missing, not TOML, or not in range.",
        "Correct what the message names, or have one proposed: `halocline model inspect M.onnx`.",
    ),
    "HAL-209": Entry(
        "A description that does not fit the model",
        "The tensor that the description makes has not the shape or type that the model takes.",
        "Correct the [input] table as the message says: sizes, layout, colour, dtype.",
    ),
    # 3xx: inputs
    "HAL-301": Entry(
        "An input of the wrong shape",
        "The sample does not have the shape that the model takes.",
        "Reshape it as the message says; the batch axis may be left out for one sample.",
    ),
    "HAL-302": Entry(
        "An input of the wrong type",
        "The sample does not have the dtype that the model takes.",
        "Convert it as the message says, for example x.astype('float32').",
    ),
    "HAL-303": Entry(
        "An input with NaN, or with no rows",
        "The batch is empty, or holds NaN where the model expects numbers.",
        "Drop or fill such rows before the call; allow_nan=True where NaN means something to the model.",
    ),
    "HAL-304": Entry(
        "A data file that cannot be read",
        "The file does not exist or is not one of the formats that the command reads.",
        "Check the path and the format named in the message.",
    ),
    "HAL-305": Entry(
        "Labels or groups that do not fit the rows",
        "There is not one for each row, some are missing, or one names a class that the edge model lacks.",
        "Give one label (a name or number of the edge model's classes) and one group for each row.",
    ),
    "HAL-310": Entry(
        "A raw sample of the wrong kind",
        "The model has an [input] description, and what was given is nothing that it can prepare.",
        "Give what the message lists; tensors that are ready go in by name, as {'x': tensor}.",
    ),
    "HAL-311": Entry(
        "A picture that cannot be decoded",
        "The bytes are no JPEG or PNG, or the file is cut off or damaged.",
        "Save the picture again as JPEG or PNG; leave the file out where it is damaged.",
    ),
    "HAL-312": Entry(
        "A picture with too many pixels",
        "Its header announces more pixels than the description allows; it was not decoded.",
        "Make it smaller before the call, or raise max_pixels in the [input] table.",
    ),
    "HAL-313": Entry(
        "A sound that cannot be decoded",
        "The bytes are no sound file that is known here, or the file is cut off or damaged.",
        "Save the sound again as WAV; leave the file out where it is damaged.",
    ),
    "HAL-314": Entry(
        "A raw sample of the wrong size",
        "A series has not the rows or columns that the model looks at, or a sound or picture is empty.",
        "Give what the message names; a long series is cut by halocline.inputs.series.windows.",
    ),
    "HAL-315": Entry(
        "A raw sample with values missing",
        "NaN or infinity stands where a number is expected, and the description does not say what to do.",
        "Drop or fill such rows, or set `missing` in the [input] table of a series.",
    ),
    "HAL-316": Entry(
        "A sample's file that cannot be read",
        "The path given as a sample does not exist, is a folder, or may not be read.",
        "Check the path that the message names.",
    ),
    "HAL-320": Entry(
        "A folder that is not laid out as data",
        "Nothing in it can be read, it holds one class only, or it holds several sets at once.",
        "Lay it out as one folder for each class, or give what the message names.",
    ),
    "HAL-321": Entry(
        "Data of mixed kinds",
        "Pictures, sounds and rows of numbers lie in one set, and a model takes one kind.",
        "Part them, and give each to the model that takes it.",
    ),
    "HAL-322": Entry(
        "Columns or annotations that cannot be used",
        "A table lacks a column that is needed or has two for one thing, or annotations lack their form.",
        "Name the columns file (or numbers), label and group, as the message says.",
    ),
    "HAL-323": Entry(
        "A copy that is not the set",
        "A file of a public set has another digest than the one known for it.",
        "Get the file again from the source that `halocline data list` names.",
    ),
    "HAL-324": Entry(
        "Rows that cannot be used, where every row must be",
        "With --strict one row that cannot be read is enough to refuse the whole set.",
        "Mend the rows that the message names, or leave --strict out: they are then counted and left out.",
    ),
    "HAL-325": Entry(
        "A pattern that finds no group",
        "--group-by is no regular expression, matches no file name, or the data have no file names.",
        "Correct the expression, or write the groups into the data: a column or array called group.",
    ),
    "HAL-330": Entry(
        "No telling how the outputs are read",
        "The model's task needs to know how its outputs are laid out, and nobody has said it.",
        "Give the [detect], [regress] or [score] table of the model's description, or task=DetectOutput(…).",
    ),
    "HAL-331": Entry(
        "Outputs that are not as described",
        "An output that the description names is missing, or its shape is not the one that it describes.",
        "Compare the description with what `halocline model inspect` shows of the model.",
    ),
    "HAL-332": Entry(
        "The tiers do different tasks",
        "One tier's answers are of another kind than the other's, so one cannot stand in for the other.",
        "State the task of both: load(…, task=…) and connect(…, task=…).",
    ),
    "HAL-333": Entry(
        "A model that does not classify, where classes are needed",
        "A temperature, another score, novelty and recall floors work on classes, and the model has none.",
        "Leave them out; of an anomaly scorer, recall floors may name normal and anomaly.",
    ),
    "HAL-340": Entry(
        "A kind of link that is not known",
        "The time of a cloud call is modelled for a few kinds of link, and another was named.",
        "Name one that the message lists; the nearest will do for a first look.",
    ),
    "HAL-341": Entry(
        "A way to show rows that is not known",
        "Rows can be shown as pictures, sound, series or values, and something else was named.",
        "Name one that the message lists, or leave it out.",
    ),
    "HAL-342": Entry(
        "Files that cannot be written there",
        "The file or folder cannot be written, or the folder holds files already.",
        "Name a file in a folder of yours, or an empty or new folder.",
    ),
    "HAL-343": Entry(
        "Too few rows to try two models on",
        "Half of the rows choose the threshold and half show what it does; so few cannot be parted in two.",
        "Give some hundreds of rows that neither model was trained on.",
    ),
    # 4xx: the cloud and the link
    "HAL-401": Entry(
        "The cloud gave no answer in time",
        "In the mode cloud_only there is no edge answer to fall back to, and the cloud call failed.",
        "Try again, raise deadline_s, or use the mode prefer_cloud, which falls back to the edge.",
    ),
    "HAL-402": Entry(
        "The cloud's certificate was not accepted",
        "The certificate is expired, signed by an unknown authority, or names another host.",
        "Give the right authority with ca=PATH; `halocline doctor` shows the certificate seen.",
    ),
    "HAL-403": Entry(
        "The cloud refused",
        "The cloud model's server answered with an error status.",
        "Read the server's message; check the model name and the token.",
    ),
    "HAL-404": Entry(
        "The cloud cannot be reached",
        "No connection could be opened to the address.",
        "Check the address, the network and that the server runs; `halocline doctor URL` tells more.",
    ),
    "HAL-405": Entry(
        "The cloud's answer is not valid",
        "The answer does not follow the Open Inference Protocol or does not fit the model's metadata.",
        "Check that the URL names the model you mean and that its server speaks protocol v2.",
    ),
    "HAL-406": Entry(
        "Closed",
        "The object was closed and cannot be called any more.",
        "Create a new one, or call inside the `with` block.",
    ),
    # 5xx: serving
    "HAL-501": Entry(
        "A request that is not in the protocol's form",
        "The body or the headers of a request to the server do not follow the Open Inference Protocol.",
        "Correct what the message names.",
    ),
    "HAL-502": Entry(
        "No such model here",
        "The server holds no model of that name and version.",
        "List what is served: GET /v2/models or `halocline doctor URL`.",
    ),
    "HAL-503": Entry(
        "The server is full, draining, or not ready",
        "A limit on waiting requests is reached, or the server is starting or stopping.",
        "Try again after the seconds given in Retry-After.",
    ),
    "HAL-504": Entry(
        "A request above a limit",
        "The body, the batch or the headers are larger than the server allows.",
        "Send less at once, or raise the limit on the server.",
    ),
    "HAL-505": Entry(
        "The model failed on this request",
        "The runtime raised an error while the model was running.",
        "Read the server's log, where the cause stands under the same request id.",
    ),
    "HAL-510": Entry(
        "Two tiers that are half named",
        "A tiered model is served of an edge model and a cloud model, with no other model beside them.",
        "Give --edge and --cloud together, and no MODEL; or MODEL alone.",
    ),
    "HAL-511": Entry(
        "Two tiers that cannot be served as one model",
        "The edge model gives no class scores, and how another task's outputs are read is not said: there is "
        "no output that both tiers could answer.",
        "Say what its scores are, or describe its task, or use `Tiered` as a library.",
    ),
    "HAL-512": Entry(
        "A body of a kind that is not taken",
        "The Content-Type is that of a picture, a sound or a form that this model does not take.",
        "Send one of the kinds that the message lists; pictures and sounds need a description of the input.",
    ),
    # 6xx: tuning and policies
    "HAL-601": Entry(
        "Rows that cannot be tuned or measured on",
        "Arrays that belong together differ in length, hold NaN, or hold nothing.",
        "Correct or leave out the rows that the message names.",
    ),
    "HAL-602": Entry(
        "A target that needs labels",
        "A recall floor for a class needs labelled rows of that class.",
        "Give labels with rows of every class that has a floor, or leave the floor out.",
    ),
    # 7xx: the hub, its doors, and devices that join
    "HAL-701": Entry(
        "A message that is none",
        "What came over a door of the hub is no message of that kind, or larger than messages may be.",
        "Use a halocline of the same or a newer version on both ends.",
    ),
    "HAL-703": Entry(
        "The hub's database cannot be used now",
        "It cannot be reached, is busy for too long, or its disk is full. Nothing was changed.",
        "Try again; see that the database runs and that its disk has room.",
    ),
    "HAL-704": Entry(
        "A change that the hub's database cannot take",
        "What was to be written belongs to something else already, or is no value that it can hold. Nothing "
        "was changed.",
        "Look at what the message names, and choose another.",
    ),
    "HAL-705": Entry(
        "A database of a newer halocline",
        "A newer version migrated the hub's database; migrations go forward only.",
        "Install the newer version again, or restore a backup from before.",
    ),
    "HAL-706": Entry(
        "An unknown kind of database",
        "A hub keeps its state in a file of SQLite or in PostgreSQL.",
        "Give --database postgresql://USER@HOST/NAME, or leave it out.",
    ),
    "HAL-707": Entry(
        "A place for audit heads that cannot be used",
        "The hub writes signed heads of its audit log there, and cannot.",
        "Give --audit-heads a folder that the hub may write, on another disk or machine where there is one.",
    ),
    "HAL-708": Entry(
        "An audit key that cannot be read",
        "The file is no Ed25519 key in PEM, or not readable.",
        "Restore audit.key or audit.pub of the hub's state folder from a backup.",
    ),
    "HAL-709": Entry(
        "An audit log that is not what was written",
        "An entry was changed, taken out or cut off, or a head does not have the hub's signature.",
        "Keep the file and the heads as they are, and find out who could write to the hub's database.",
    ),
    "HAL-711": Entry(
        "An invite that cannot be read",
        "The text is no invite, a part of it is missing or mistyped, or a newer Halocline made it.",
        "Copy the whole of what `halocline device invite` printed; it begins with hc1. and has one line.",
    ),
    "HAL-712": Entry(
        "A certificate request that is not taken",
        "It is damaged, not signed by its own key, for another key than the device's, or the key is weak.",
        "Let `halocline agent join` make it; keys are P-256, P-384 or Ed25519.",
    ),
    "HAL-713": Entry(
        "An invite that does not let this device in",
        "The hub does not know it, it has expired or is used up, or the device's serial is not on its list.",
        "Ask for a new one: `halocline device invite`.",
    ),
    "HAL-714": Entry(
        "A device that is out",
        "It was revoked, or another device was put in its place; its key lets it in no more.",
        "Remove its state folder, and join it anew with a new invite.",
    ),
    "HAL-715": Entry(
        "A certificate that does not pass any more",
        "It has expired, a newer one is in use, or the hub does not know it.",
        "The agent comes home by itself with its key; where the hub does not know the key, join anew.",
    ),
    "HAL-716": Entry(
        "A device that waits to be accepted",
        "It asked to join without an invite, or comes home later than the grace time allows.",
        "Compare its code, then `halocline device accept DEVICE`.",
    ),
    "HAL-717": Entry(
        "No proof that this is the known device",
        "The nonce is another hub's, older than a minute or used, or the signature is another key's.",
        "Ask for a new nonce and sign that; check that the state folder is this device's own.",
    ),
    "HAL-718": Entry(
        "A hub's authority that cannot be opened",
        "The passphrase is wrong, a file of it is missing or damaged, or its certificate has ended.",
        "Give the right --ca-passphrase, or restore the folder `ca` from a backup.",
    ),
    "HAL-721": Entry(
        "The hub cannot be reached",
        "No connection to the hub could be opened, or its answer did not come whole and in time.",
        "Check the address, the network, the proxy and that the hub runs; then try again.",
    ),
    "HAL-722": Entry(
        "The hub's certificate was not accepted",
        "Who answers cannot show that it is the hub: its certificate is of an authority that is not known "
        "here, names another host, or is not valid at this time. A network that inspects TLS looks so too.",
        "Read who issued the certificate that was seen; ask for an invite of this hub, or for a way past "
        "the inspection.",
    ),
    "HAL-723": Entry(
        "The hub refused",
        "The hub, or something before it, answered with an error status.",
        "Read its message, which is part of this one.",
    ),
    "HAL-724": Entry(
        "A device's state folder that is in use",
        "Another process holds it: two agents with one identity would look like a clone to the hub.",
        "Stop the other agent, or give this one its own --state.",
    ),
    "HAL-725": Entry(
        "A device's state folder that cannot be used",
        "It cannot be read or written, the disk is full or read-only, or what lies there is damaged.",
        "Correct what the message names, or give another folder with --state.",
    ),
    "HAL-726": Entry(
        "Joined already, or not joined",
        "A state folder holds one device's identity: joining needs one without, the channel one with it.",
        "Give another --state, or join first: halocline agent join INVITE.",
    ),
    "HAL-727": Entry(
        "The device waits to be accepted",
        "The hub has put it on its list; someone compares the short code and accepts it, or does not.",
        "Run halocline device accept on a machine that is signed in to the hub, then try again.",
    ),
    "HAL-728": Entry(
        "A configuration of an agent that cannot be used",
        "The file is not there, is no TOML, has an unknown key, or a value of another kind or out of range.",
        "Put right what the message names; halocline agent config --example shows a whole file.",
    ),
    "HAL-729": Entry(
        "Not a program of this machine",
        "A request to the agent came from a web page, or under a name that is not this machine's.",
        "Ask from a program, at 127.0.0.1 or localhost with the agent's port.",
    ),
    "HAL-730": Entry(
        "The agent's token is missing",
        "Over TCP, each request to the agent needs the token that lies in its state folder.",
        "Send Authorization: Bearer with the content of local.token, or use the Unix socket.",
    ),
    "HAL-731": Entry(
        "A model of a hub that this device has not joined",
        "The configuration names hub:NAME as the cloud model, and the state folder holds no identity.",
        "Join the hub first (halocline agent join), or name a URL or a file.",
    ),
    "HAL-741": Entry(
        "Nothing at this address of the hub",
        "The door of the hub has no such path, or a name in it is none; its doors have different paths.",
        "Check the port: 8443 is for devices, 8444 for people, 8445 for joining.",
    ),
    "HAL-742": Entry(
        "A message too large for the hub",
        "The body of a request has more bytes than any message has.",
        "Send less at once; a device's certificate request has 500 bytes.",
    ),
    "HAL-743": Entry(
        "Too many requests from one address",
        "The joining door, and refused sign-ins, are limited for each address.",
        "Wait for the seconds that Retry-After says; many devices behind one address join one after another.",
    ),
    "HAL-744": Entry(
        "A hub's state folder that is in use",
        "Another hub process holds the lock of this state folder, and its database is a file in it.",
        "Stop the other process, give another --state, or let them share a PostgreSQL by --database.",
    ),
    "HAL-745": Entry(
        "A hub's state folder that cannot be used",
        "The folder cannot be made, read or written, or a part of what a hub keeps there is missing.",
        "Give a folder that this user may write, or restore the backup of this one.",
    ),
    "HAL-746": Entry(
        "Changed meanwhile",
        "Someone else changed the same thing between reading and writing; nothing was changed by this call.",
        "Look at it again, and repeat the change if it is still wanted.",
    ),
    "HAL-747": Entry(
        "Not in this state",
        "The device is in a state in which this cannot be done, such as setting a revoked one.",
        "See halocline device show DEVICE for its state.",
    ),
    "HAL-748": Entry(
        "No such device",
        "The hub knows no device with that id.",
        "See halocline device list for the ids.",
    ),
    "HAL-749": Entry(
        "The hub failed",
        "A request met an error that the hub has no name for; nothing was changed.",
        "Look into the log of the hub process.",
    ),
    "HAL-751": Entry(
        "Not signed in",
        "The request to the hub carries no token, or one that the hub does not know or that has ended.",
        "Sign in with `halocline login` and a token of this hub; an admin makes one with token create.",
    ),
    "HAL-752": Entry(
        "Not allowed",
        "The person's role does not hold this right, or the device or token is not among theirs.",
        "Ask someone with one of the roles that the message names; `halocline whoami` shows yours.",
    ),
    "HAL-753": Entry(
        "No such person or token",
        "The hub knows nobody by that name, or no token that begins like that.",
        "See halocline user list, and halocline token list.",
    ),
    "HAL-754": Entry(
        "A change of people that cannot be made",
        "The name is taken, a part is missing, or the hub would be left without an admin.",
        "Do what the message says; nothing was changed.",
    ),
    "HAL-755": Entry(
        "No hub to speak to",
        "The command speaks to a hub, and none is named, or the name is not one that you signed in to.",
        "Run `halocline login URL`, or name one by --hub or HALOCLINE_HUB.",
    ),
    "HAL-756": Entry(
        "The file of hubs cannot be used",
        "What `halocline login` keeps cannot be read or written, is damaged, or others may read it.",
        "Correct what the message names, or remove the file and sign in again.",
    ),
    "HAL-757": Entry(
        "A duration that is none",
        "A time was written in a way that is not understood.",
        "Write a number with a unit: 30s, 10m, 1h, 30d.",
    ),
    "HAL-758": Entry(
        "Waited in vain",
        "What was waited for has not come about within the time given.",
        "Look at the device with `halocline device show`, or wait longer with --timeout.",
    ),
    "HAL-759": Entry(
        "A file that is no audit log or head",
        "`halocline audit verify` reads what `audit export` wrote and heads that the hub wrote.",
        "Look at the line that the message names; copy the file again, whole.",
    ),
    "HAL-760": Entry(
        "A backup that cannot be made",
        "The folder is no hub's, cannot be read, or the place for the backup is taken or cannot be written.",
        "Give the --state of the hub, and a --to that is not there yet.",
    ),
    "HAL-761": Entry(
        "A state folder that is not empty",
        "A restore never writes over a hub.",
        "Give a --state that is not there yet, or move that folder away.",
    ),
    "HAL-762": Entry(
        "A backup that cannot be restored",
        "It is no hub's backup, a file of it is missing or damaged, or a newer Halocline made it.",
        "Take another backup; `halocline hub backup` makes them.",
    ),
    "HAL-763": Entry(
        "An alert webhook that cannot be used",
        "The URL or the secret of the webhook is missing, too weak, or would send alerts in the clear.",
        "Give `--alert-webhook https://…` and `--alert-secret env:NAME` or `file:PATH`, as the message says.",
    ),
    "HAL-764": Entry(
        "An alert message was not taken",
        "The receiver of the alert webhook is away or refuses; the hub tries again for a day.",
        "Look at the receiver. What is open now is in `halocline alert list`.",
    ),
    "HAL-765": Entry(
        "A form from another site",
        "What was posted to the hub's page does not come from that page: a browser said so, or said nothing.",
        "Open the hub's page itself, and sign in there; programs take the /v1 routes with a bearer token.",
    ),
    "HAL-770": Entry(
        "A cloud model elsewhere that the hub cannot reach",
        "The server behind --cloud-model NAME=URL did not tell what its model takes when the hub started.",
        "Start that server, correct the URL, or start the hub without this model.",
    ),
    "HAL-771": Entry(
        "The cloud model's server gives no answer",
        "The server that holds the model failed, was too slow, or failed so often that it has a rest.",
        "Try again after the seconds given in Retry-After; look after the server behind --cloud-model.",
    ),
    "HAL-772": Entry(
        "The cloud model's server refused the request",
        "The server that holds the model took the hub's request for a wrong one.",
        "Correct what its message names, which is part of this one.",
    ),
    "HAL-773": Entry(
        "A cloud model's URL without a name",
        "Devices ask for a cloud model by a name, and a URL alone gives it none.",
        "Write --cloud-model NAME=https://HOST:PORT/v2/models/MODEL.",
    ),
    "HAL-774": Entry(
        "A wrong question for late verdicts",
        "GET /v2/models/NAME/corrections takes after, a number that an earlier answer gave as next, and "
        "wait_s, seconds up to 60.",
        "Begin with no query at all, and ask after the number that the answer calls next.",
    ),
    "HAL-775": Entry(
        "No late verdicts of this model",
        "Only two tiers have an answer that the cloud may correct later; this model answers by itself.",
        "Ask a model that has a cloud and may send its samples there: GET /v2/health/ready names them.",
    ),
    "HAL-776": Entry(
        "A virtual device that cannot report",
        "It has joined the hub, and the hub's door for devices did not take what it says of itself.",
        "See that the door for devices can be reached from here, under the name that the hub gives devices.",
    ),
    "HAL-777": Entry(
        "A list of serial numbers that cannot be used",
        "A line of it holds no serial, one that stands there already, or one that no device can have.",
        "Correct the line that the message names: one serial a line, or a column called serial.",
    ),
    "HAL-778": Entry(
        "A model that the device does not serve",
        "The device has reported what it serves, and this model is not among it; it would refuse everything.",
        "Correct the name; where the device is to serve that model soon, add --force.",
    ),
    "HAL-780": Entry(
        "Where a hub is reached, given in another form",
        "--device-url, --people-url and --join-url are told to others as they are; no client could use this.",
        "Write https://HOST:PORT, as others reach that door.",
    ),
    "HAL-781": Entry(
        "An issuing authority that cannot be used",
        "What --issuer-cert and --issuer-key give is no authority whose certificates devices would accept.",
        "Give PEM files: the issuing authority's certificate and all above it up to the root, and its key.",
    ),
    "HAL-782": Entry(
        "The authority cannot be replaced like this",
        "Its root key is elsewhere, there is no old root to retire, or devices do not know the new root yet.",
        "Do what the message says, and ask again: halocline hub rotate.",
    ),
    "HAL-783": Entry(
        "A database of another authority",
        "The devices in this database trust another root than the one in this hub's state folder.",
        "Start with the state folder, or the --issuer-cert, that this database was made with.",
    ),
    "HAL-784": Entry(
        "Doors on one port without names to tell them apart",
        "With --one-port the name that a client asks for leads to its door; a name is missing, or no name.",
        "Give three host names of this machine: --device-name, --people-name and --join-name.",
    ),
    "HAL-785": Entry(
        "A change without a reason",
        "The owner of this hub wants to know why: it was started with --require-reason.",
        "Say why in a few words for the audit log: --reason TEXT.",
    ),
    "HAL-786": Entry(
        "A scope that no such token can have",
        "It names no action that there is, one that the role may not do, or labels of others' devices.",
        "Give actions that the message lists, of those that the role of the person holds.",
    ),
    "HAL-790": Entry(
        "A device asks to wait for longer than a hub lets it",
        "GET /v1/twin?wait_s=… takes seconds up to five minutes: proxies cut what is silent for longer.",
        "Set another time: halocline device set DEVICE --long-poll 30s.",
    ),
    "HAL-795": Entry(
        "A support bundle that would hold a secret",
        "A secret that is known on this machine was found in it at the last look. Nothing was written.",
        "Report it with the name of the part; without that part there is no danger.",
    ),
    "HAL-796": Entry(
        "A support bundle that cannot be written",
        "The file is there already, or its folder cannot be written to.",
        "Give `--out` a file that is not there, in a folder of yours.",
    ),
    "HAL-797": Entry(
        "Nothing to make a support bundle of",
        "The folder is the state of neither a device nor a hub.",
        "Give the `--state` of `halocline agent run` or `halocline hub serve`; without it, the machine alone "
        "is looked at.",
    ),
    "HAL-798": Entry(
        "A log that cannot be read",
        "A file given by `--log` is not there, or this user may not read it.",
        "Give another file, or run as its owner.",
    ),
    # 8xx: what leaves a device, and how it arrives
    "HAL-801": Entry(
        "A file of rules that cannot be used",
        "The rules that say which samples are sent are no TOML, or have an unknown key or a wrong value.",
        "Correct what the message names; `halocline sample rules --example` shows a whole file.",
    ),
    "HAL-802": Entry(
        "A condition that cannot be read",
        "The `when` of a rule does not parse, compares what has different types, or names what is not there.",
        "Correct it at the place that the message names; docs/reference/rules.md lists names and signs.",
    ),
    "HAL-811": Entry(
        "A record that cannot be queued",
        "Its payload, kind, stream, id, priority, value, time to live or size is not what an outbox takes.",
        "Correct what the message names; the rest of the queue is not concerned.",
    ),
    "HAL-812": Entry(
        "An id that is taken by another record",
        "A record was put under an id that waits in the outbox already, with other content.",
        "Give each record an id of its own, or none: then it gets one.",
    ),
    "HAL-813": Entry(
        "An outbox that cannot be opened",
        "Its folder cannot be written, another program has it open, or a newer Halocline made it.",
        "Give each program an outbox folder of its own, and open it after a fork.",
    ),
    "HAL-814": Entry(
        "No space for another record",
        "The disk is full, and nothing in the outbox is worth less than the record that was put.",
        "Free space on the disk; the outbox goes on by itself. Putting the record again is safe.",
    ),
    "HAL-815": Entry(
        "A sealed record that does not open",
        "It was sealed to another key, was changed on its way, or not all of its chunks are there.",
        "Give the device the key of the hub that opens its records; the record itself is lost.",
    ),
    "HAL-816": Entry(
        "A key that seals nothing",
        "An outbox is sealed by 32 raw bytes: a hub's X25519 public key, or a secret of your own, not both.",
        "Give one such key as bytes, or none.",
    ),
    "HAL-817": Entry(
        "The outbox is closed, or its disk fails",
        "It was closed, or the file could not be written or read, for another reason than a full disk.",
        "Open it again; look at the disk. Putting the record again is safe.",
    ),
}
