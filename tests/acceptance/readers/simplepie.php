<?php
// Read feeds as WordPress does, with its SimplePie, and print their entries as JSON.
// php simplepie.php AUTOLOADER CACHE URL...
error_reporting(E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);
require $argv[1];
$shown = [];
foreach (array_slice($argv, 3) as $url) {
    $feed = new \SimplePie\SimplePie();
    $feed->set_cache_location($argv[2]);
    $feed->set_cache_duration(3600); // within this time SimplePie 1.8 asks with the ETag, and never after it
    $feed->set_feed_url($url);
    if (!$feed->init()) {
        fwrite(STDERR, "$url: " . $feed->error() . "\n");
        exit(1);
    }
    foreach ($feed->get_items() as $item) {
        $title = html_entity_decode($item->get_title(), ENT_QUOTES | ENT_HTML5);
        $shown[$url][] = ['title' => $title, 'text' => $item->get_content(), 'link' => $item->get_permalink()];
    }
}
echo json_encode($shown, JSON_THROW_ON_ERROR);
