BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE audit (
	chain VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	entry TEXT NOT NULL, 
	previous VARCHAR(80) NOT NULL, 
	digest VARCHAR(80) NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (chain, number)
);
INSERT INTO "audit" VALUES('hub',1,'{"at_s":1.25,"actor":"person:ann","action":"device.revoke","object":"dev-1","outcome":"done","reason":"","details":{}}','sha256:0000000000000000000000000000000000000000000000000000000000000000','sha256:085c930c96889268c5ebe13fcad1d6ea139187b1d1313e8cf1fd6c7a7cb7ad80');
CREATE TABLE certificates (
	serial VARCHAR(64) NOT NULL, 
	device VARCHAR(32) NOT NULL, 
	not_before_s DOUBLE NOT NULL, 
	not_after_s DOUBLE NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	superseded_s DOUBLE, 
	place INTEGER NOT NULL, 
	CONSTRAINT pk_certificates PRIMARY KEY (serial), 
	CONSTRAINT fk_certificates_device_devices FOREIGN KEY(device) REFERENCES devices (id)
);
CREATE TABLE device_labels (
	device VARCHAR(32) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	value VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_device_labels PRIMARY KEY (device, name), 
	CONSTRAINT fk_device_labels_device_devices FOREIGN KEY(device) REFERENCES devices (id)
);
INSERT INTO "device_labels" VALUES('dev-aaaaaaaaaaaaaaaa','type','cam');
INSERT INTO "device_labels" VALUES('dev-aaaaaaaaaaaaaaaa','region','eu');
CREATE TABLE devices (
	id VARCHAR(32) NOT NULL, 
	"key" VARCHAR(80) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	created_s DOUBLE NOT NULL, 
	facts TEXT NOT NULL, 
	code VARCHAR(32) NOT NULL, 
	seen_s DOUBLE, 
	boot INTEGER NOT NULL, 
	cloned_s DOUBLE, 
	replaces VARCHAR(32), 
	desired_generation INTEGER NOT NULL, 
	desired TEXT NOT NULL, 
	reported TEXT, 
	CONSTRAINT pk_devices PRIMARY KEY (id), 
	CONSTRAINT uq_devices_key UNIQUE ("key")
);
INSERT INTO "devices" VALUES('dev-aaaaaaaaaaaaaaaa','sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','enrolled',1.5,'{"serial":"S-1","machine":"aarch64 Linux","agent":"1.2.3"}','',NULL,0,NULL,NULL,0,'{}',NULL);
CREATE TABLE invites (
	digest VARCHAR(80) NOT NULL, 
	created_s DOUBLE NOT NULL, 
	expires_s DOUBLE NOT NULL, 
	uses INTEGER NOT NULL, 
	used INTEGER NOT NULL, 
	labels TEXT NOT NULL, 
	serials TEXT, 
	made_by VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_invites PRIMARY KEY (digest)
);
CREATE TABLE people (
	name VARCHAR(64) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	site VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_people PRIMARY KEY (name)
);
CREATE TABLE tokens (
	digest VARCHAR(80) NOT NULL, 
	person VARCHAR(64) NOT NULL, 
	created_s DOUBLE NOT NULL, 
	expires_s DOUBLE NOT NULL, 
	CONSTRAINT pk_tokens PRIMARY KEY (digest), 
	CONSTRAINT fk_tokens_person_people FOREIGN KEY(person) REFERENCES people (name)
);
CREATE INDEX ix_devices_seen_s ON devices (seen_s);
CREATE INDEX ix_certificates_device ON certificates (device, place);
CREATE INDEX ix_device_labels_name ON device_labels (name, value);
CREATE INDEX ix_tokens_person ON tokens (person);
COMMIT;
